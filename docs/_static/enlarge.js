// A tap on a figure opens its file, which a phone can enlarge.
document.addEventListener("DOMContentLoaded", () => {
  for (const image of document.querySelectorAll(".bd-article img")) {
    if (image.closest("a")) continue;
    const link = document.createElement("a");
    link.href = image.currentSrc || image.src;
    link.className = "enlarge";
    link.setAttribute("aria-label", "Open the figure at full size");
    image.replaceWith(link);
    link.append(image);
  }
});

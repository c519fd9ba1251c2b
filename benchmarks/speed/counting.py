"""Count the array operations of the package while it runs, without a change to what it computes.

`counting_package` imports the package anew. In its syntax trees, methods of this module replace operators, indices and
calls. They compute the same, and record each operation with a NumPy array.
"""

import ast
import importlib
import operator
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

import numpy as np

PACKAGE = "skimbalance"

Record = Callable[[str, int], None]
"""A function of the name of an operation and its size, the elements of its largest array."""

_DIRECT = {"super", "locals", "vars", "globals"}
"""Functions that depend on the frame that calls them."""

_READS = (float, int, bool)
_GATHERS = ("take", "take_along_axis")


def _elements(values: Any) -> int:
    """Return the size of the largest array among values, zero if there is none."""
    return max((x.size for x in values if isinstance(x, np.ndarray)), default=0)


def _results(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


def _is_of_arrays(function: Any) -> bool:
    """Return whether a function belongs to an array library, to an array, or is compiled code of the package."""
    owner = getattr(function, "__self__", None)
    module = str(getattr(function, "__module__", None) or "")
    if type(function).__name__ == "cython_function_or_method":
        return True
    return (
        isinstance(owner, np.ndarray | np.ufunc | np.random.Generator)
        or isinstance(function, np.ufunc)
        or module.split(".")[0] in {"numpy", "scipy", "array_api_compat"}
    )


def _is_about_library(function: Any) -> bool:
    """Whether a function without an array in its result only looks at the type of an array."""
    return str(getattr(function, "__module__", "")).startswith("array_api_compat")


class _Operations:
    """What operators, indices and calls are replaced by."""

    def __init__(self, record: Record) -> None:
        self.record = record

    def operated(self, name: str, result: Any) -> Any:
        """Record an operator whose result is an array."""
        if isinstance(result, np.ndarray):
            self.record(name, result.size)
        return result

    def item(self, base: Any, index: Any) -> Any:
        """Index."""
        result = base[index]
        if isinstance(base, np.ndarray):
            self.record("index", max(1, _elements([*_results(index), result])))
        return result

    def store(self, base: Any, index: Any, value: Any) -> None:
        """Assign to an index."""
        base[index] = value
        if isinstance(base, np.ndarray):
            self.record("assign", max(1, _elements([*_results(index), value])))

    def changed(self, name: str, old: Any, value: Any) -> Any:
        """Assign in place."""
        return self.operated(name, getattr(operator, name)(old, value))

    def changed_item(self, name: str, base: Any, index: Any, value: Any) -> None:
        """Assign to an index in place."""
        self.store(base, index, self.changed(name, self.item(base, index), value))

    def call(self, function: Any, *arguments: Any, **named: Any) -> Any:
        """Call."""
        result = function(*arguments, **named)
        given = [*arguments, *named.values()]
        given += [x for each in given if isinstance(each, list | tuple) for x in each]
        if isinstance(function, type) and function in _READS:
            if isinstance(given[0] if given else None, np.ndarray):
                self.record("read of a number", 1)
        elif _is_of_arrays(function):
            name = str(getattr(function, "__name__", type(function).__name__))
            owner, made = getattr(function, "__self__", None), _elements(_results(result))
            size = made if name in _GATHERS else max(made, _elements([*given, owner]))
            if size and (made or not _is_about_library(function)):
                self.record(name, size)
        return result


_IN_PLACE = {
    ast.Add: "iadd",
    ast.Sub: "isub",
    ast.Mult: "imul",
    ast.Div: "itruediv",
    ast.FloorDiv: "ifloordiv",
    ast.BitOr: "ior",
    ast.BitAnd: "iand",
    ast.LShift: "ilshift",
    ast.RShift: "irshift",
    ast.Mod: "imod",
    ast.Pow: "ipow",
}


class _Transformer(ast.NodeTransformer):
    """Replace operators, indices and calls by methods of `__counted__`."""

    @staticmethod
    def _to(method: str, *arguments: ast.expr) -> ast.Call:
        name = ast.Name("__counted__", ast.Load())
        return ast.Call(ast.Attribute(name, method, ast.Load()), list(arguments), [])

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        return self._to("operated", ast.Constant(type(node.op).__name__.lower()), node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        return self._to("operated", ast.Constant(type(node.op).__name__.lower()), node)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        return self._to("operated", ast.Constant("compare"), node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        return self._to("item", node.value, _index(node.slice)) if isinstance(node.ctx, ast.Load) else node

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        self.generic_visit(node)
        target = node.targets[0]
        if len(node.targets) > 1 or not isinstance(target, ast.Subscript):
            return node
        return ast.Expr(self._to("store", target.value, _index(target.slice), node.value))

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        self.generic_visit(node)
        name, target = ast.Constant(_IN_PLACE[type(node.op)]), node.target
        if isinstance(target, ast.Subscript):
            return ast.Expr(self._to("changed_item", name, target.value, _index(target.slice), node.value))
        if isinstance(target, ast.Name):
            old = ast.Name(target.id, ast.Load())
            return ast.Assign([target], self._to("changed", name, old, node.value))
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in _DIRECT:
            return node
        call = self._to("call", node.func, *node.args)
        call.keywords = node.keywords
        return call


def _index(node: ast.expr) -> ast.expr:
    """Return the expression of an index, with calls of `slice` in place of colons."""
    if isinstance(node, ast.Slice):
        ends = [each or ast.Constant(None) for each in (node.lower, node.upper, node.step)]
        return ast.Call(ast.Name("slice", ast.Load()), ends, [])
    if isinstance(node, ast.Tuple):
        return ast.Tuple([_index(each) for each in node.elts], ast.Load())
    return node


class _Loader(SourceFileLoader):
    operations: _Operations

    def get_code(self, fullname: str) -> Any:
        tree = ast.parse(self.get_data(self.path))
        return compile(ast.fix_missing_locations(_Transformer().visit(tree)), self.path, "exec")

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__counted__"] = self.operations
        super().exec_module(module)


class _Finder(MetaPathFinder):
    def __init__(self, record: Record) -> None:
        self.operations = _Operations(record)

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname.split(".")[0] != PACKAGE:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(fullname, spec.loader.path)
            spec.loader.operations = self.operations
        return spec


def _modules() -> dict[str, ModuleType]:
    """Return the modules of the package, without extension modules, which are loaded once per process."""
    return {
        name: module
        for name, module in sys.modules.items()
        if name.split(".")[0] == PACKAGE and str(module.__file__).endswith(".py")
    }


@contextmanager
def counting_package(record: Record) -> Iterator[ModuleType]:
    """Import a copy of the package that calls `record`; afterwards the modules are those from before."""
    before = _modules()
    for name in before:
        del sys.modules[name]
    finder = _Finder(record)
    sys.meta_path.insert(0, finder)
    try:
        yield importlib.import_module(PACKAGE)
    finally:
        sys.meta_path.remove(finder)
        for name in _modules():
            del sys.modules[name]
        sys.modules.update(before)

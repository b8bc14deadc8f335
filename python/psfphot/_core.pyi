"""The compiled core; private, see the documented classes that wrap it."""

__version__: str

class InternalError(RuntimeError): ...

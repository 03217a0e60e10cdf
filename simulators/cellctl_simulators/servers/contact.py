"""A device without its wire: what drivers touch at the direct level."""

from collections.abc import Callable

from cellctl_simulators.wire import Wire


class DeviceContact:
    """Stands where a server would: it can be cut and put back, and tells who watches that the device did something."""

    at = ""

    def __init__(self, wire: Wire, settle: Callable[[], None], busy: Callable[[], bool]) -> None:
        self.wire, self.settle, self._busy = wire, settle, busy
        self.trouble = "cut"
        self.delay_s = 0.0
        self._trouble, self._there = "", False
        self._watching: dict[Callable[[], None], None] = {}

    @property
    def busy(self) -> bool:
        """Whether the device will go on by itself."""
        return self._busy()

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Have `changed` called when the device did something; ends by what it gives."""
        self._watching[changed] = None
        return lambda: self._watching.pop(changed, None)

    def suffer(self, trouble: str, delay_s: float = 0.0) -> None:
        """Let something be wrong between driver and device, or nothing any more."""
        self._trouble, self.delay_s = trouble, delay_s
        self._tell()

    async def start(self) -> None:
        """Let drivers in."""
        self._there = True
        self._tell()

    async def stop(self) -> None:
        """Cut the connection."""
        self._there = False
        self._tell()

    async def cut(self) -> None:
        """Cut the connection, once; whether drivers are let in is as before."""
        if self._there:
            await self.stop()
            await self.start()

    def _tell(self) -> None:
        trouble = self._trouble if self._there else "cut"
        if trouble != self.trouble:
            self.trouble = trouble
            self.refresh()

    def refresh(self) -> None:
        """Tell that the device did something."""
        for changed in tuple(self._watching):
            changed()

    async def aclose(self) -> None:
        """There is no address."""

"""An OPC UA server that tells what it has in small parts, with a continuation point after each of them."""

from typing import Any

import pytest
from asyncua import ua
from asyncua.server.internal_session import InternalSession
from asyncua.server.uaprocessor import UaProcessor
from asyncua.ua.ua_binary import struct_from_binary

_BROWSE_NEXT = ua.NodeId(ua.ObjectIds.BrowseNextRequest_Encoding_DefaultBinary)
_POINT = b"more"


class Endless:
    """What is below Objects has no end, or begins with `last` things; `part` of them come in each answer.

    asyncua's own server knows no continuation points, so this is put in its place.
    """

    def __init__(self, index: int, *, part: int = 7, last: int = 1_000_000) -> None:
        self._index, self._part, self._last = index, part, last
        self.told = self.asked = self.released = 0

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Have servers answer so."""
        process, browse = UaProcessor._process_message, InternalSession.browse

        async def browse_some(session: InternalSession, parameters: ua.BrowseParameters) -> list[ua.BrowseResult]:
            if [each.NodeId for each in parameters.NodesToBrowse] == [ua.NodeId(ua.ObjectIds.ObjectsFolder)]:
                self.told = 0
                return [self._result()]
            return await browse(session, parameters)

        async def process_some(processor: UaProcessor, typeid: Any, head: Any, sequence: Any, body: Any) -> Any:
            if typeid != _BROWSE_NEXT:
                return await process(processor, typeid, head, sequence, body)
            response = ua.BrowseNextResponse()
            response.Parameters.Results = [self._next(struct_from_binary(ua.BrowseNextParameters, body))]
            processor.send_response(head.RequestHandle, sequence, response)
            return True

        patch.setattr(InternalSession, "browse", browse_some)
        patch.setattr(UaProcessor, "_process_message", process_some)

    def _next(self, parameters: ua.BrowseNextParameters) -> ua.BrowseResult:
        assert parameters.ContinuationPoints == [_POINT]
        if parameters.ReleaseContinuationPoints:
            self.released += 1
            return ua.BrowseResult()
        self.asked += 1
        return self._result()

    def _result(self) -> ua.BrowseResult:
        numbers = range(self.told, min(self.told + self._part, self._last))
        self.told = numbers.stop
        return ua.BrowseResult(
            References=[self._reference(number) for number in numbers],
            ContinuationPoint=_POINT if self.told < self._last else None,
        )

    def _reference(self, number: int) -> ua.ReferenceDescription:
        return ua.ReferenceDescription(
            ReferenceTypeId=ua.NodeId(ua.ObjectIds.Organizes),
            IsForward=True,
            NodeId=ua.ExpandedNodeId(f"Thing{number}", self._index),
            BrowseName=ua.QualifiedName(f"Thing{number}", self._index),
            NodeClass=ua.NodeClass.Object,
        )

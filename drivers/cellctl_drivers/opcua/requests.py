"""Requests to an OPC UA server, on one connection.

The rule kept here: a server that does not answer is lost, and that is a DriverError. A method is the exception: what it
does may take its time, so only its order is without an answer.
"""

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import TypeVar

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import UaStatusCodeError

from cellctl.driver import DriverError, Outcome, Value
from cellctl_drivers.opcua.connection import honour_cancellation, told
from cellctl_drivers.opcua.places import Places
from cellctl_drivers.opcua.profile import Profile
from cellctl_drivers.opcua.steps import Invoke, Sink
from cellctl_drivers.opcua.values import data_value, outputs
from cellctl_drivers.wire.orders import OrderError, RefusalError, SilenceError

S = TypeVar("S")
T = TypeVar("T")

#: So many things are asked for in one request at first: servers bound that, and some say so only by refusing.
_AT_ONCE = 100

#: A server may have passed something on, and not know how it went.
_IN_DOUBT = frozenset({StatusCodes.BadTimeout, StatusCodes.BadCommunicationError, StatusCodes.BadNoCommunication})


#: The server did not begin with what was asked: it does not know the request, or not so many at once.
_NOT_BEGUN = frozenset(
    {StatusCodes.BadServiceUnsupported, StatusCodes.BadNotImplemented, StatusCodes.BadTooManyOperations}
)


class Requests:
    """What is asked of the server of `client`; `places` are where its nodes are."""

    def __init__(self, profile: Profile, client: Client) -> None:
        self._profile = profile
        self.session = client.uaclient.session
        self.places = Places((), self._translate)
        self._at_once = _AT_ONCE

    async def ask(self, request: Coroutine[object, object, T]) -> T:
        """The answer; DriverError if there is none."""
        try:
            return await request
        except TimeoutError as error:
            raise DriverError(
                f"no answer from {self._profile.id} within {self._profile.timeout_s * 1e3:.0f} ms"
            ) from error
        except (SilenceError, RefusalError):
            raise
        except Exception as error:  # asyncua lets errors of its parser through, which are neither UaError nor OSError
            raise DriverError(f"the connection to {self._profile.id} was lost: {told(error)}") from error
        finally:
            honour_cancellation()

    async def find(self, namespaces: list[str]) -> None:
        """Ask where the nodes of the profile are, at a server with these namespaces."""
        self.places = Places(namespaces, self._translate)
        await self.places.find(self._profile.places())

    async def read(self, *nodeids: ua.NodeId) -> list[ua.DataValue]:
        """The values of nodes."""
        try:
            return await self.each(partial(self.session.read_attributes, attr=AttributeIds.Value), nodeids)
        except RefusalError as refusal:  # an order that is read back was done all the same
            raise DriverError(f"{self._profile.id} cannot be read: {refusal}") from refusal

    async def write(self, sink: Sink, value: Value) -> None:
        """Write a node; RefusalError or OrderError if that was not confirmed."""
        await self.send(sink, data_value(sink, value))

    async def send(self, sink: Sink, data: ua.DataValue) -> None:
        """The same with what was made ready before."""
        nodeid = self.places[sink.node]
        statuses = await self.ask(self.session.write_attributes([nodeid], [data]))
        _check(statuses, f"{sink.node}")

    async def call(self, step: Invoke, inputs: list[ua.Variant]) -> dict[str, Value]:
        """Call a method; what it answers, by name. RefusalError or OrderError if that was not confirmed."""
        request = ua.CallRequest()
        request.Parameters.MethodsToCall = [
            ua.CallMethodRequest(
                ObjectId=self.places[step.on], MethodId=self.places[step.method], InputArguments=inputs
            )
        ]
        within_s = max(step.within_ns / 1e9, self._profile.timeout_s)
        results = (await self.ask(self._called(step, request, within_s))).Results or []
        wrong = [number for result in results for number in _wrong(result.InputArgumentResults)]
        _check([result.StatusCode for result in results], f"{step.method}" + "".join(wrong[:1]))
        return step.judged(outputs(results[0].OutputArguments or ()))

    async def _called(self, step: Invoke, request: ua.CallRequest, within_s: float) -> ua.CallResponse:
        try:
            # asyncua's own `call` cannot be told how long to wait
            data = await self.session._send_request(request, timeout=within_s)  # noqa: SLF001
            response: ua.CallResponse = struct_from_binary(ua.CallResponse, data)
            response.ResponseHeader.ServiceResult.check()
        except TimeoutError:
            reason = f"{step.method} was called, and did not answer within {within_s * 1e3:.0f} ms"
            raise SilenceError(reason) from None
        except UaStatusCodeError as error:
            if error.code in _NOT_BEGUN:
                raise RefusalError(f"the server refuses {step.method}: {told(error)}") from error
            raise
        return response

    async def each(self, request: Callable[[list[S]], Coroutine[object, object, list[T]]], of: Sequence[S]) -> list[T]:
        """The answer for each of many things, in as many requests as the server wants; RefusalError if in none."""
        answers: list[T] = []
        while len(answers) < len(of):
            some = list(of[len(answers) : len(answers) + self._at_once])
            told = await self.ask(unless_too_many(request, some))
            if told is None:
                self._at_once = len(some) // 2
                continue
            if len(told) != len(some):
                raise DriverError(f"{self._profile.id} gives {len(told)} answers, {len(some)} were asked for")
            answers += told
        return answers

    async def _translate(self, ways: Sequence[ua.BrowsePath]) -> list[ua.BrowsePathResult]:
        return await self.each(self.session.translate_browsepaths_to_nodeids, ways)


async def unless_too_many(
    request: Callable[[list[S]], Coroutine[object, object, list[T]]], some: list[S]
) -> list[T] | None:
    """The answers; None if they were too many at once. RefusalError if the server does not know such requests."""
    try:
        return await request(some)
    except UaStatusCodeError as error:
        if error.code == StatusCodes.BadTooManyOperations and len(some) > 1:
            return None
        if error.code in _NOT_BEGUN:
            raise RefusalError(f"the server cannot do that: {told(error)}") from error
        raise


def _check(statuses: Sequence[ua.StatusCode], what: str) -> None:
    """Go on if the one thing that was asked for is done."""
    if len(statuses) != 1:
        raise OrderError(Outcome.UNKNOWN, f"the server does not say what became of {what}")
    (status,) = statuses
    if status.value in _IN_DOUBT or status.is_uncertain():
        raise OrderError(Outcome.UNKNOWN, f"the server says {status.name} of {what}")
    if not status.is_good():
        raise RefusalError(f"the server refuses {what}: {status.name}")


def _wrong(results: Sequence[ua.StatusCode] | None) -> list[str]:
    """The inputs, from 1, that a method did not want."""
    return [
        f" (input {number}: {status.name})" for number, status in enumerate(results or (), 1) if not status.is_good()
    ]

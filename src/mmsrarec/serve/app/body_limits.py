"""Refuses bodies that are too large, before and while they are read (413)."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mmsrarec.serve.app.problems import problem


class TooLarge(Exception):
    """More bytes came than a body may have."""


class BodyLimits:
    """Counts the bytes of a body, whether its length is announced or it is streamed.

    Attributes:
        app: What is called.
        most: Bytes of a body.
        most_of_item: Bytes of the body of an item, which may hold a picture.
    """

    def __init__(self, app: ASGIApp, most: int, most_of_item: int) -> None:
        self.app, self.most, self.most_of_item = app, most, most_of_item

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a call."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_item = scope["method"] == "PUT" and scope["path"].startswith("/v1/items/")
        limit, n_bytes, answering = self.most_of_item if is_item else self.most, 0, False
        too_large = problem(413, f"the body is larger than {limit} bytes")
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if announced.isdigit() and int(announced[:20]) > limit:
            await too_large(scope, receive, send)
            return

        async def count() -> Message:
            nonlocal n_bytes
            message = await receive()
            n_bytes += len(message.get("body", b""))
            if n_bytes > limit:
                raise TooLarge
            return message

        async def watch(message: Message) -> None:
            nonlocal answering
            if n_bytes > limit:  # whatever the application makes of a body that was cut
                raise TooLarge
            answering = True
            await send(message)

        try:
            await self.app(scope, count, watch)
        except TooLarge:
            if not answering:
                await too_large(scope, receive, send)

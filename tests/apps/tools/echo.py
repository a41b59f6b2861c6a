#!/usr/bin/env python3
"""Sends back what comes through a WebSocket: `echo.py PORT`."""

import sys

from aiohttp import WSMsgType, web


async def answer(request):
    if "Upgrade" not in request.headers:
        return web.Response(text="ready")
    socket = web.WebSocketResponse(max_msg_size=0, compress=False)
    await socket.prepare(request)
    async for message in socket:
        if message.type == WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type == WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


app = web.Application()
app.router.add_get("/{tail:.*}", answer)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)

"""A small agent with the `a2a-sdk`, at http://127.0.0.1:PORT, its card saying URL: translates, and deletes if it is let.

A message that asks for a skill says so in its metadata. The answer of a task comes in two pieces.
"""
import asyncio
import os

import uvicorn
from a2a.helpers.proto_helpers import get_message_text, new_task_from_user_message, new_text_part
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types.a2a_pb2 import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from starlette.applications import Starlette

url = os.environ["URL"]


def skill(name):
    return AgentSkill(id=name, name=name, description=f"Can {name}.", tags=["test"])


card = AgentCard(
    name="Translator",
    description="Translates.",
    version="1.0.0",
    supported_interfaces=[
        AgentInterface(url=f"{url}/a2a", protocol_binding="JSONRPC", protocol_version="1.0"),
        AgentInterface(url=f"{url}/rest", protocol_binding="HTTP+JSON", protocol_version="1.0"),
    ],
    capabilities=AgentCapabilities(streaming=True),
    default_input_modes=["text/plain"],
    default_output_modes=["text/plain"],
    skills=[skill("translate-text"), skill("delete-everything")],
)


class Translator(AgentExecutor):
    async def execute(self, context, event_queue):
        await event_queue.enqueue_event(context.current_task or new_task_from_user_message(context.message))
        task = TaskUpdater(event_queue, context.task_id, context.context_id)
        await task.start_work()
        words = get_message_text(context.message).upper()
        await task.add_artifact([new_text_part(words)], artifact_id="text", name="text", last_chunk=False)
        # Long enough to tell a stream from an answer that was held back.
        await asyncio.sleep(0.6)
        await task.add_artifact([new_text_part("!")], artifact_id="text", append=True, last_chunk=True)
        await task.complete()

    async def cancel(self, context, event_queue):
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


handler = DefaultRequestHandler(agent_executor=Translator(), task_store=InMemoryTaskStore(), agent_card=card)
app = Starlette(
    routes=[
        *create_agent_card_routes(card),
        *create_jsonrpc_routes(handler, "/a2a"),
        *create_rest_routes(handler, path_prefix="/rest"),
    ]
)
uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="info")

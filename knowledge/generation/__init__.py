"""Chat models: messages in, streamed text out."""

from knowledge.generation.chat import ChatMessage, ChatModel
from knowledge.generation.load import load_chat_model

__all__ = ["ChatMessage", "ChatModel", "load_chat_model"]

"""What the chat model is shown."""

from knowledge.prompt import PromptPassage, render


def test_a_summary_stands_above_its_passage_and_inside_the_fence() -> None:
    passages = [
        PromptPassage("Leave > Times", "25 days.", "All about leave."),
        PromptPassage("A", "B"),
    ]
    user = render("How many days?", passages, fence="==x==")[-1].content
    assert user == (
        "==x==\nPassage 1 (Leave > Times; about: All about leave.): 25 days.\n"
        "Passage 2 (A): B\n==x==\n\nQuestion: How many days?"
    )

"""What the tests of the fakes and of the checks ask a backend."""

from simworld.core.requests import Generate, Sampling, TextPrompt


def ask(
    text: str = "Hello", *, seed: int = 0, stop: tuple[str, ...] = (), most: int = 64
) -> Generate:
    return Generate(
        prompt=TextPrompt(text=text), sampling=Sampling(max_new_tokens=most), seed=seed, stop=stop
    )

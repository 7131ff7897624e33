def run(words: list[str]) -> int:
    return 0

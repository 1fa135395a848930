"""The command line of dynome with one more method, `describe`, that counts its calls and obeys orders."""

from fault_functions import describe


def described():
    """The function `describe` as a method."""
    from dynome.pipelines import methods

    template = next(iter(methods.METHODS.values()))
    return template._replace(
        name="describe", function=describe, prepare=None, applies=lambda recording, connectome: "", group=None
    )


def main() -> None:
    """Not at import: worker processes import this too, as does whoever collects doctests, and need no command line."""
    from dynome import cli
    from dynome.pipelines import methods

    methods.METHODS["describe"] = described()
    cli.main()


if __name__ == "__main__":
    main()

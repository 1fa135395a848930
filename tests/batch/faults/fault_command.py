"""The command line of dynome with one more method, `describe`, that counts its calls and obeys orders."""

from fault_functions import describe

from dynome import cli
from dynome.pipelines import methods


def main() -> None:
    """Not at import: whoever collects doctests imports this too, and its methods are those of everybody."""
    template = next(iter(methods.METHODS.values()))
    methods.METHODS["describe"] = template._replace(
        name="describe", function=describe, prepare=None, applies=lambda recording, connectome: "", group=None
    )
    cli.main()


if __name__ == "__main__":
    main()

"""The command line of dynome with one more method, `describe`, that counts its calls and obeys orders."""

from fault_functions import describe

from dynome import cli
from dynome.pipelines import methods

template = next(iter(methods.METHODS.values()))
methods.METHODS["describe"] = template._replace(
    name="describe", function=describe, prepare=None, applies=lambda recording, connectome: "", group=None
)

if __name__ == "__main__":
    cli.main()

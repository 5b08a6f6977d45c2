"""What can be trained? `python -m train` lists the commands of this folder."""

from ganfail_jax.cli.index import print_index

GROUPS = {"Training": ("classifier", "stylegan2", "pggan", "artifact_classifier")}

if __name__ == "__main__":
    print_index(__file__, GROUPS)

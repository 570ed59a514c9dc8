"""An image's key changes with everything that would change the image."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guardia.tools.lab.machines.recipes import RECIPES, Recipe
from guardia.tools.lab.machines.spec import ROLES


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_key(recipe: Recipe) -> None:
    key = recipe.key("bookworm")
    assert key == Recipe(recipe.name, recipe.packages).key("bookworm")
    other = [
        recipe.key("trixie"),
        replace(recipe, packages=(*recipe.packages, "vim")).key("bookworm"),
        replace(recipe, name=next(name for name in RECIPES if name != recipe.name)).key("bookworm"),
    ]
    assert len({key, *other}) == 4


def test_every_role_has_an_image() -> None:
    assert {role.make.image for role in ROLES.values()} == {*RECIPES}

"""The paintings that `style-many` has learned to paint like: pure data, importable without torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """One painting. `key` is how tasks and clients name it."""

    key: str
    title: str
    painter: str
    year: str


STYLES = (
    Style("great-wave", "The Great Wave off Kanagawa", "Katsushika Hokusai", "c. 1831"),
    Style("starry-night", "The Starry Night", "Vincent van Gogh", "1889"),
    Style("scream", "The Scream", "Edvard Munch", "1893"),
    Style("irises", "Irises", "Vincent van Gogh", "1889"),
    Style("port-en-bessin", "Port-en-Bessin, the Outer Harbour at High Tide", "Georges Seurat", "1888"),
    Style("adele", "Portrait of Adele Bloch-Bauer I", "Gustav Klimt", "1907"),
    Style("cossacks", "Cossacks", "Wassily Kandinsky", "1910–11"),
    Style("deluge", "Deluge", "Wassily Kandinsky", "c. 1912"),
    Style("gray-tree", "Gray Tree", "Piet Mondrian", "1911"),
    Style("horses", "Red and Blue Horse", "Franz Marc", "1912"),
    Style("street-pavers", "The Street Pavers", "Umberto Boccioni", "1914"),
    Style("water-lilies", "Water Lilies", "Claude Monet", "1897–1926, a series"),
    Style("shipwreck", "The Wreck of a Transport Ship", "J. M. W. Turner", "c. 1810"),
    Style("marry", "When Will You Marry?", "Paul Gauguin", "1892"),
    Style("melancholy", "Melancholy", "Edvard Munch", "1890s"),
    Style("moulin", "Bal du moulin de la Galette", "Pierre-Auguste Renoir", "1876"),
)
"""In the order of the network's rows: a new style goes to the end, and the network is trained anew."""

"""The page's sections: each turns a fit into the texts, numbers and pictures that the template prints."""

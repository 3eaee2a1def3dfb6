"""Two builds side by side: recipes, documents, mixes, models, and whether the difference is more than noise."""

"""How does each kind of event change a user? A file each topic; `FOLDS` of each is what state/fold.py dispatches on."""

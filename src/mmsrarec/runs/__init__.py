"""A run on the disk, and what answers from it.

Read `recipe` first, the settings of a run; then `run_folder`, which opens its parts, and `provenance` and
`fingerprints`, which tell whether parts belong together; `fitted_rankers`, rankers as parts of a run;
`current_catalogue`, the catalogue as it is today; and `recommender`, which answers, by the modules of `answers`.
`batch_file` writes answers to many users, part by part; `export_run` writes a folder to serve from, with the
`model_card`, and `exported` tells such a folder. `renamed_settings` reads recipes of earlier versions.

Other rooms use `recipe.Recipe` and `load_recipe`, `run_folder.RunFolder`, `recommender.Recommender`,
`current_catalogue.open_catalogue` and `fitted_rankers.served_source`.
"""

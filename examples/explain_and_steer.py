"""Why an item is recommended, and what happens when a user asks for more or less of something.

python examples/explain_and_steer.py RUN [--user ID]
"""

import argparse

from mmsrarec import Recommender

parser = argparse.ArgumentParser()
parser.add_argument("run", help="the folder of a finished run")
parser.add_argument("--user", help="a user; the first one unless given")
args = parser.parse_args()

recommender = Recommender.load(args.run)
user = args.user or recommender.dataset.user_ids[0]
best, *others = recommender.recommend(user=user, k=5)
print(best.title, "because", "; ".join(best.because))
for reason in best.reasons[:5]:  # the same for programs
    print(f"  {reason.kind:10} {reason.weight:+.2f}  {', '.join((*reason.items, *reason.words))}")

print("\nwhat the language model was shown of it:")
for reason in recommender.explain(best.item_id, user=user).reasons[:5]:
    print(f"  {reason.weight:+.2f}  {reason.text}")

if word := next((word for other in others for word in other.keywords if word not in best.keywords), None):
    print(f"\nmore {word}:")
    for answer in recommender.recommend(user=user, k=3, more=[word]):
        print(" ", answer.title, "|", "; ".join(answer.because))
print("\nlike it:", recommender.similar_items([best.item_id], k=3)["similar_item_id"].to_list())

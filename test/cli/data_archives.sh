# Images in a zip archive, in shards of a WebDataset and with labels in a table: `few data` and
# training take them, and `fit` and `background` are keys of a recipe.
data=$here/../data/data
cp "$data/zip/y_edm.zip" edm.zip
cp "$data"/webdataset/shard-*.tar .
for name in edm.zip 'shard-{000000..000002}.tar' 'webdataset:shard-{000000..000002}.tar,label'; do
  "$few" data "$name" | grep -E '^(data|items|note|classes|hash)'
done
for i in 0 1 2 3 4 5 6 7 8 9; do
  echo "0000$((i / 4))/img0000000$i,$((i % 2))" >>labels.csv
done
"$few" data folder:edm.zip,labels.csv | grep -E '^(note|classes)'
echo 00003/img00000010,1 >>labels.csv
"$few" data folder:edm.zip,labels.csv 2>&1 | head -1
train() {
  "$few" train "$here/tiny-unet.ini" --run "$@" data_limit=0 label_dropout=0 steps=1 \
    attention=1 preview_every=0 eval_every=0 --quiet
}
train a data=edm.zip size=8 fit=pad background=ff8000
grep -E '^(fit|background|size) ' a/recipe.ini
train b data='shard-{000000..000002}.tar'
train c data=edm.zip fit=pad 2>&1
true

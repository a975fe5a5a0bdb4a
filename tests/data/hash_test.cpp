#include "data/hash.h"

#include <gtest/gtest.h>

namespace pare::data {
namespace {

TEST(Hash, GivesThePublishedValuesOfXxh64) {
  EXPECT_EQ(hash_word(hash_text("")), "ef46db3751d8e999");
  EXPECT_EQ(hash_word(hash_text("a")), "d24ec4f1a98c6e5b");
  EXPECT_EQ(hash_word(hash_text("abc")), "44bc2cf5ad770999");
  EXPECT_EQ(hash_word(hash_text("Nobody inspects the spammish repetition")), "fbcea83c8a378bf1");
}

TEST(Hash, DependsOnEveryByteAtEveryLength) {
  for (std::size_t size = 1; size < 80; ++size) {
    const std::string text(size, 'x');
    for (std::size_t at = 0; at < size; ++at) {
      std::string other = text;
      other[at] = 'y';
      EXPECT_NE(hash_text(text), hash_text(other)) << size << " " << at;
    }
  }
}

}  // namespace
}  // namespace pare::data

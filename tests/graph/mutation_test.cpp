// Damaged files: whatever bytes come, loading, inferring and checking end in a pare::Error or in success.
#include "core/random.h"
#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

/// Small, but with every kind of thing in it that the readers treat apart.
std::string victim() {
  Model model = model_from_text(R"(
    <ir_version: 8, opset_import: ["" : 17, "own" : 1]>
    agraph (float[N, 2, 4, 4] x, bool cond) => (float[] y) <float[2, 2, 1, 1] w = {1, 2, 3, 4}, int64[2] to = {0, -1}> {
      k = Constant <value = float[2] {1, 2}> ()
      c = Conv <kernel_shape = [1, 1], auto_pad = "NOTSET", group = 1> (x, w, k)
      d = own.twice(c)
      e = If(cond) <
        then_branch = t () => (float[] p) { p = Relu(d) },
        else_branch = f () => (float[] q) <float[1] z = {0}> { q = Add(d, z) }
      >
      y = Reshape(e, to)
    }
    <domain: "own", opset_import: ["" : 17]> twice (v) => (r) { r = Add(v, v) })");
  model.metadata = {{"key", "value"}};
  model.doc = "text";
  model.graph.value_info.push_back(
      {.name = "d", .dtype = DType::kFloat32, .shape = {}, .doc = "", .opaque_type = {}, .metadata = {}});
  return serialize_model(model);
}

/// True if the bytes were taken, false if they were refused; anything else ends the test.
bool survives(const std::string& bytes) {
  try {
    const Model model = parse_model(std::as_bytes(std::span(bytes)));
    static_cast<void>(serialize_model(model));
    static_cast<void>(infer_types(model));
    check_model(model);
    return true;
  } catch (const Error&) {
    return false;
  }
}

TEST(Mutation, OfSingleBytesNeverBreaksAnything) {
  const std::string whole = victim();
  ASSERT_TRUE(survives(whole));
  std::int64_t taken = 0, refused = 0;
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (const int change : {1, 2, 0x10, 0x80, 0xFF}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ change);
      ++(survives(bytes) ? taken : refused);
    }
  EXPECT_GT(taken, 100);     // letters of a doc string
  EXPECT_GT(refused, 1000);  // almost everything else
}

TEST(Mutation, OfManyBytesAndLengthsNeverBreaksAnything) {
  const std::string whole = victim();
  Rng rng(5);
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = whole;
    for (std::int64_t changes = 1 + rng.below(6); changes > 0; --changes) {
      const auto at = static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(bytes.size())));
      switch (rng.below(4)) {
        case 0:
          bytes[at] = static_cast<char>(rng.below(256));
          break;
        case 1:
          bytes.erase(at, static_cast<std::size_t>(1 + rng.below(8)));
          break;
        case 2:
          bytes.insert(at,
                       bytes.substr(static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(bytes.size()))), 16));
          break;
        default:
          bytes.resize(std::max<std::size_t>(at, 1));
      }
      if (bytes.empty()) break;
    }
    static_cast<void>(survives(bytes));
  }
}

}  // namespace
}  // namespace pare::testing

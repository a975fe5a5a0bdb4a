#include "step/select.h"

#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

Graph graph() {
  return model_from_text(R"(<ir_version: 8, opset_import: ["": 17]> g (float[N] x) => (float[N] y) {
    [first] a = Relu(x)
    [second] b = Sigmoid(a)
    y = Relu(b)
  })")
      .graph;
}

std::vector<bool> stays_float(const std::vector<std::string>& exclude, const std::vector<std::string>& only) {
  std::vector<bool> result;
  for (const std::string& reason : user_reasons(graph(), exclude, only)) result.push_back(!reason.empty());
  return result;
}

TEST(Select, TakesNamesTypesOutputsAndPatterns) {
  using B = std::vector<bool>;
  EXPECT_EQ(stays_float({}, {}), (B{false, false, false}));
  EXPECT_EQ(stays_float({"first"}, {}), (B{true, false, false}));
  EXPECT_EQ(stays_float({"Relu"}, {}), (B{true, false, true}));
  EXPECT_EQ(stays_float({"y"}, {}), (B{false, false, true}));
  EXPECT_EQ(stays_float({"*st"}, {}), (B{true, false, false}));
  EXPECT_EQ(stays_float({}, {"Sig*"}), (B{true, false, true}));
  EXPECT_EQ(stays_float({"first"}, {"Relu"}), (B{true, true, false}));
}

TEST(Select, RefusesAWordThatMatchesNothing) {
  expect_error([] { (void)user_reasons(graph(), {"secnd"}, {}); }, ErrorCode::kInvalidArgument,
               {"exclude", "'secnd'", "'second'"});
  expect_error([] { (void)user_reasons(graph(), {}, {"Sigmoit"}); }, ErrorCode::kInvalidArgument, {"only", "Sigmoid"});
}

}  // namespace
}  // namespace pare::testing

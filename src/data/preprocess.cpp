#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/fail.h"
#include "core/words.h"
#include "pare/dataset.h"

namespace pare {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kLargestSide = 65536;

const std::vector<std::string>& known_keys() {
  static const std::vector<std::string> keys = {"resize",    "channels",     "scale",  "mean",        "std",
                                                "layout",    "bands",        "nodata", "mask_values", "tile",
                                                "tile_step", "target_bands", "part",   "test_share",  "inputs"};
  return keys;
}

[[noreturn]] void fail_value(const std::string& key, const Json& value, const char* wanted) {
  fail(ErrorCode::kInvalidArgument, "preprocess: '{}' is {}, expected {}", key, value.dump(), wanted);
}

double number(const std::string& key, const Json& value, const char* wanted = "a number") {
  if (!value.is_number()) fail_value(key, value, wanted);
  return value.get<double>();
}

std::vector<double> numbers(const std::string& key, const Json& value) {
  static constexpr const char* kWanted = "a number, or a list with one number per channel";
  if (value.is_number()) return {value.get<double>()};
  if (!value.is_array() || value.empty()) fail_value(key, value, kWanted);
  std::vector<double> result;
  for (const Json& item : value) result.push_back(number(key, item, kWanted));
  return result;
}

std::vector<std::int64_t> whole_numbers(const std::string& key, const Json& value, std::int64_t least,
                                        const char* wanted) {
  if (!value.is_array() || value.empty()) fail_value(key, value, wanted);
  std::vector<std::int64_t> result;
  for (const Json& item : value) {
    if (!item.is_number_integer() || item.get<std::int64_t>() < least) fail_value(key, value, wanted);
    result.push_back(item.get<std::int64_t>());
  }
  return result;
}

std::string word(const std::string& key, const Json& value, const std::vector<std::string>& choices) {
  const std::string wanted = "one of '" + join(choices, "', '") + "'";
  if (!value.is_string()) fail_value(key, value, wanted.c_str());
  for (const std::string& choice : choices)
    if (value == choice) return choice;
  fail_value(key, value, wanted.c_str());
}

std::int64_t pixels(const std::string& key, const Json& value) {
  static constexpr const char* kWanted = "a whole number of pixels from 1 to 65536";
  if (!value.is_number_integer()) fail_value(key, value, kWanted);
  const auto count = value.get<std::int64_t>();
  if (count < 1 || count > kLargestSide) fail_value(key, value, kWanted);
  return count;
}

/// The keys that make samples of rasters; false: `key` is none of them.
bool read_raster_key(Preprocess& result, const std::string& key, const Json& value) {
  if (key == "tile") {
    result.tile = pixels(key, value);
  } else if (key == "tile_step") {
    result.tile_step = pixels(key, value);
  } else if (key == "target_bands") {
    result.target_bands = whole_numbers(key, value, 1, "a list of band numbers, counted from 1");
  } else if (key == "part") {
    result.part = word(key, value, {"train", "test"});
  } else if (key == "test_share") {
    result.test_share = number(key, value);
    if (!(result.test_share > 0 && result.test_share < 1)) fail_value(key, value, "a number between 0 and 1");
  } else {
    return false;
  }
  return true;
}

void read_key(Preprocess& result, const std::string& key, const Json& value) {
  if (key == "resize") {
    const auto size = whole_numbers(key, value, 1, "[height, width]");
    if (size.size() != 2 || std::max(size[0], size[1]) > kLargestSide) fail_value(key, value, "[height, width]");
    result.resize = {size[0], size[1]};
  } else if (key == "channels") {
    result.channels = word(key, value, {"rgb", "bgr", "gray"});
  } else if (key == "layout") {
    result.layout = word(key, value, {"nchw", "nhwc"});
  } else if (key == "scale") {
    result.scale = number(key, value);
    if (*result.scale == 0) fail_value(key, value, "a number other than 0");
  } else if (key == "mean") {
    result.mean = numbers(key, value);
  } else if (key == "std") {
    result.std_dev = numbers(key, value);
    for (const double deviation : result.std_dev)
      if (!(deviation > 0)) fail_value(key, value, "numbers above 0");
  } else if (key == "bands") {
    result.bands = whole_numbers(key, value, 1, "a list of band numbers, counted from 1");
  } else if (key == "nodata") {
    result.nodata =
        value == "nan" ? std::numeric_limits<double>::quiet_NaN() : number(key, value, "a number or \"nan\"");
  } else if (key == "mask_values") {
    result.mask_values = whole_numbers(key, value, std::numeric_limits<std::int64_t>::min(),
                                       "a list of the mask values that are classes 0, 1, ...");
  } else if (!read_raster_key(result, key, value)) {
    fail(ErrorCode::kInvalidArgument, "preprocess: unknown key '{}'{}\n  known: {}", key,
         nearest_hint(key, known_keys()), join(known_keys(), ", "));
  }
}

Preprocess read_object(const Json& object, bool outermost) {
  if (!object.is_object())
    fail(ErrorCode::kInvalidArgument,
         "preprocess: expected an object such as {{\"scale\": 0.0039, \"mean\": [0.5]}}, got {}", object.dump());
  Preprocess result;
  const bool by_input = outermost && object.contains("inputs");
  for (const auto& [key, value] : object.items()) {
    if (by_input && key == "inputs") {
      if (!value.is_object() || value.empty()) fail_value(key, value, "an object with one description per input name");
      for (const auto& [name, description] : value.items()) result.inputs[name] = read_object(description, false);
    } else if (by_input && key != "mask_values") {
      fail(ErrorCode::kInvalidArgument,
           "preprocess: '{}' stands beside 'inputs'\n  remedy: move it into the description of each input", key);
    } else {
      read_key(result, key, value);
    }
  }
  if (result.tile_step > 0 && result.tile == 0)
    fail(ErrorCode::kInvalidArgument, "preprocess: 'tile_step' without 'tile'");
  return result;
}

Json to_json(const Preprocess& preprocess) {
  Json object = Json::object();
  if (!preprocess.inputs.empty())
    for (const auto& [name, description] : preprocess.inputs) object["inputs"][name] = to_json(description);
  if (preprocess.resize) object["resize"] = {preprocess.resize->first, preprocess.resize->second};
  if (preprocess.channels != "rgb") object["channels"] = preprocess.channels;
  if (preprocess.scale) object["scale"] = *preprocess.scale;
  if (!preprocess.mean.empty()) object["mean"] = preprocess.mean;
  if (!preprocess.std_dev.empty()) object["std"] = preprocess.std_dev;
  if (!preprocess.layout.empty()) object["layout"] = preprocess.layout;
  if (!preprocess.bands.empty()) object["bands"] = preprocess.bands;
  if (preprocess.nodata) object["nodata"] = std::isnan(*preprocess.nodata) ? Json("nan") : Json(*preprocess.nodata);
  if (!preprocess.mask_values.empty()) object["mask_values"] = preprocess.mask_values;
  if (preprocess.tile > 0) object["tile"] = preprocess.tile;
  if (preprocess.tile_step > 0) object["tile_step"] = preprocess.tile_step;
  if (!preprocess.target_bands.empty()) object["target_bands"] = preprocess.target_bands;
  if (preprocess.test_share != Preprocess{}.test_share) object["test_share"] = preprocess.test_share;
  return object;
}

}  // namespace

Preprocess parse_preprocess(std::string_view json) {
  try {
    return read_object(Json::parse(json), true);
  } catch (const Json::exception& error) {
    fail(ErrorCode::kInvalidArgument, "preprocess: this is not JSON: {}", error.what());
  }
}

std::string preprocess_to_json(const Preprocess& preprocess) {
  return to_json(preprocess).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace pare

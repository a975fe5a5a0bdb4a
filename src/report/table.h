// table.h - a table for a terminal: columns aligned, dropped by priority when the width is too small, long names
// shortened in the middle.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pare {

class Table {
 public:
  struct Column {
    std::string title;
    bool right = true;         ///< numbers to the right
    int priority = 0;          ///< the highest number is dropped first; 0 is never dropped
    std::size_t shortest = 0;  ///< above 0: cells may be shortened in the middle down to this
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// One cell a column; missing ones are empty.
  void add(std::vector<std::string> cells);
  /// Lines of at most `width` characters, each ended by a newline.
  [[nodiscard]] std::string text(std::size_t width) const;
  [[nodiscard]] std::size_t rows() const noexcept { return rows_.size(); }

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// "layer1...conv2": the middle goes.
[[nodiscard]] std::string shortened(const std::string& text, std::size_t length);

}  // namespace pare

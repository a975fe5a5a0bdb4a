#include "report/table.h"

#include <algorithm>
#include <numeric>

namespace pare {

std::string shortened(const std::string& text, std::size_t length) {
  if (text.size() <= length) return text;
  if (length <= 5) return text.substr(0, length);
  const std::size_t kept = length - 2, front = kept / 2;
  return text.substr(0, front) + ".." + text.substr(text.size() - (kept - front));
}

void Table::add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::text(std::size_t width) const {
  const std::size_t count = columns_.size();
  std::vector<std::size_t> widths(count);
  for (std::size_t c = 0; c < count; ++c) {
    widths[c] = columns_[c].title.size();
    for (const auto& row : rows_) widths[c] = std::max(widths[c], row[c].size());
  }
  std::vector<bool> shown(count, true);
  const auto total = [&] {
    std::size_t sum = 0;
    for (std::size_t c = 0; c < count; ++c)
      if (shown[c]) sum += widths[c] + 2;
    return sum - std::min<std::size_t>(sum, 2);
  };
  for (std::size_t c = 0; c < count && total() > width; ++c)
    if (columns_[c].shortest > 0) {
      const std::size_t floor = std::max(columns_[c].shortest, columns_[c].title.size());
      widths[c] = std::max(floor, widths[c] - std::min(widths[c], total() - width));
    }
  while (total() > width) {
    std::size_t worst = count;
    for (std::size_t c = 0; c < count; ++c)
      if (shown[c] && columns_[c].priority > 0 && (worst == count || columns_[c].priority >= columns_[worst].priority))
        worst = c;
    if (worst == count) break;
    shown[worst] = false;
  }

  std::string out;
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (std::size_t c = 0; c < count; ++c) {
      if (!shown[c]) continue;
      const std::string cell = shortened(cells[c], widths[c]);
      const std::string padding(widths[c] - cell.size(), ' ');
      text += (text.empty() && c == 0 ? "" : "  ") + (columns_[c].right ? padding + cell : cell + padding);
    }
    while (!text.empty() && text.back() == ' ') text.pop_back();
    out += text + "\n";
  };
  std::vector<std::string> titles;
  for (const Column& column : columns_) titles.push_back(column.title);
  line(titles);
  for (const auto& row : rows_) line(row);
  return out;
}

}  // namespace pare

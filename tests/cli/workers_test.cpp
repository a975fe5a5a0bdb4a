// Several processes that train one network, started as torchrun does: by variables of the environment.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>
#include <thread>

#include "cli/command.h"
#include "cli/small_data.h"
#include "pare/train.h"
#include "support/free_port.h"

namespace pare::testing {
namespace {

using Clock = std::chrono::steady_clock;
using ::testing::HasSubstr;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// `pare ARGUMENTS` beside the test, with further variables of the environment; killed at the end of the scope.
class Process {
 public:
  Process(const TempDir& folder, const std::string& name, const std::string& arguments,
          const std::map<std::string, std::string>& variables)
      : out_(folder / (name + ".out")), err_(folder / (name + ".err")) {
    std::vector<std::string> words = {std::string(PARE_BINARY_DIR) + "/pare"};
    std::istringstream in(arguments);
    for (std::string word; in >> word;) words.push_back(word);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ != 0) return;
    for (const auto& [key, value] : variables) setenv(key.c_str(), value.c_str(), 1);
    dup2(open(out_.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600), STDOUT_FILENO);
    dup2(open(err_.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600), STDERR_FILENO);
    execv(argv[0], argv.data());
    _exit(127);
  }
  ~Process() {
    if (!ended_) end(SIGKILL);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// Its exit code; -1: it did not end in time.
  int wait(double seconds) {
    for (const auto start = Clock::now(); seconds_since(start) < seconds;) {
      int status = 0;
      if (waitpid(pid_, &status, WNOHANG) == pid_) {
        ended_ = true;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return -1;
  }
  void end(int signal) {
    kill(pid_, signal);
    waitpid(pid_, nullptr, 0);
    ended_ = true;
  }
  void send(int signal) const { kill(pid_, signal); }
  [[nodiscard]] std::string out() const { return read_file(out_); }
  [[nodiscard]] std::string err() const { return read_file(err_); }

 private:
  std::filesystem::path out_, err_;
  pid_t pid_ = -1;
  bool ended_ = false;
};

std::map<std::string, std::string> place(int rank, int count, int port) {
  return {{"RANK", std::to_string(rank)},       {"WORLD_SIZE", std::to_string(count)},
          {"LOCAL_RANK", std::to_string(rank)}, {"LOCAL_WORLD_SIZE", std::to_string(count)},
          {"MASTER_ADDR", "127.0.0.1"},         {"MASTER_PORT", std::to_string(port)}};
}

/// Conv, Relu, pooling, Gemm: no statistics of a batch, so that the parts of a batch add up to the whole.
void write_plain_network(const std::filesystem::path& path) {
  save_model(model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N, 3, 8, 8] x) => (float[N, 2] y) <
      float[4, 3, 1, 1] w = {1, 0.5, 0, 0, 1, 0.2, 0.3, 0, 1, -1, 0.7, -0.4}, float[4] shift = {0, 0.1, 0, 1},
      float[4, 2] fc = {0.1, 0.2, -0.3, 0.1, 0.5, 0.5, -0.1, 0.4}, float[2] b = {0, 0.1}> {
      c = Conv(x, w, shift)
      r = Relu(c)
      p = GlobalAveragePool(r)
      f = Flatten(p)
      y = Gemm(f, fc, b)
    })"),
             path);
}

std::vector<double> losses(const std::string& text) {
  static const std::regex kLine(R"(epoch \d+: loss ([0-9.]+))");
  std::vector<double> found;
  for (std::sregex_iterator at(text.begin(), text.end(), kLine), end; at != end; ++at)
    found.push_back(std::stod((*at)[1]));
  return found;
}

class SharedTraining : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!training_available().available) GTEST_SKIP() << training_available().why;
    write_plain_network(folder_ / "net.onnx");
    write_small_data(folder_ / "data.npz", 41);
  }
  [[nodiscard]] std::string path(const char* name) const { return (folder_ / name).string(); }
  [[nodiscard]] std::string command(const std::string& options) const {
    return "finetune " + path("net.onnx") + " --data " + path("data.npz") +
           " --batch 9 --precision float32 --lr 0.05 " + options;
  }
  TempDir folder_;
};

TEST_F(SharedTraining, TogetherTheyTrainAsOneDoesWithTheWholeBatch) {
  // Mixed pairs, changed images and weights of different sizes: all must meet the same samples as in one process.
  const std::string options = "--epochs 6 --mixup 0.3 --augment hflip,crop1 --validation 0.2 -o ";
  Process alone(folder_, "alone", command(options + path("alone.onnx") + " --json " + path("alone.json")), {});
  ASSERT_EQ(alone.wait(60), 0) << alone.err();
  const int port = free_port();
  const std::string shared = command(options + path("shared.onnx") + " --json " + path("shared.json"));
  Process first(folder_, "first", shared, place(0, 2, port)), second(folder_, "second", shared, place(1, 2, port));
  ASSERT_EQ(first.wait(60), 0) << first.err();
  ASSERT_EQ(second.wait(20), 0) << second.err();

  const std::vector<double> one = losses(alone.err()), two = losses(first.err());
  ASSERT_EQ(one.size(), 6) << alone.err();
  ASSERT_EQ(two.size(), 6) << first.err();
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_NEAR(one[i], two[i], 1.01e-4) << i;  // as printed
  EXPECT_LT(one.back(), one.front());
  const auto json_one = nlohmann::json::parse(read_file(folder_ / "alone.json"));
  const auto json_two = nlohmann::json::parse(read_file(folder_ / "shared.json"));
  const double last = json_one.at("figures").at("finetune.last_loss");
  EXPECT_NEAR(json_two.at("figures").at("finetune.last_loss"), last, 1e-5 * last);
  EXPECT_EQ(json_two.at("figures").at("finetune.validation"), json_one.at("figures").at("finetune.validation"));
  const Model a = load_model(folder_ / "alone.onnx"), b = load_model(folder_ / "shared.onnx");
  const Model start = load_model(folder_ / "net.onnx");
  for (const Initializers::Entry& entry : a.graph.initializers) {
    const std::vector<float> x = entry.tensor.to_floats(), y = b.graph.initializers.find(entry.name)->to_floats();
    const std::vector<float> before = start.graph.initializers.find(entry.name)->to_floats();
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], y[i], 2e-5) << entry.name << " " << i;
    EXPECT_NE(x, before) << entry.name;
  }

  EXPECT_EQ(second.out() + second.err(), "");
  EXPECT_THAT(first.out(), HasSubstr("2 workers, each with its part of a batch of 9"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "shared.onnx.checkpoint")) << "is for a run that ends early";
  // The recipe tells how the model was made, not on which machines.
  EXPECT_EQ(*b.find_metadata("pare.recipe"), *a.find_metadata("pare.recipe"));
}

TEST_F(SharedTraining, ALostOneEndsTheRunWithAMessageAndACheckpoint) {
  const std::string shared = command("--epochs 3000 --worker-timeout 10 -o " + path("out.onnx"));
  const int port = free_port();
  Process first(folder_, "first", shared, place(0, 2, port)), second(folder_, "second", shared, place(1, 2, port));
  for (const auto start = Clock::now(); losses(first.err()).size() < 3 && seconds_since(start) < 60;)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  second.end(SIGKILL);
  const auto start = Clock::now();
  EXPECT_EQ(first.wait(30), 1);
  EXPECT_LT(seconds_since(start), 20);  // as a rule at once, else after the timeout
  EXPECT_THAT(first.err(), HasSubstr("rank 1 was lost"));
  EXPECT_THAT(first.err(), HasSubstr("the state is saved in " + path("out.onnx.checkpoint")));
  EXPECT_THAT(first.err(), HasSubstr("--resume"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "out.onnx.checkpoint"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out.onnx"));

  // The same command with --resume goes on, also for the one that has no checkpoint of its own.
  const std::string again = shared + " --resume --checkpoint ", mine = path("out.onnx.checkpoint");
  const int other = free_port();
  Process third(folder_, "third", again + mine, place(0, 2, other)),
      fourth(folder_, "fourth", again + path("nothing"), place(1, 2, other));
  for (const auto now = Clock::now(); losses(third.err()).size() < 3 && seconds_since(now) < 60;)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const std::string text = third.err();
  EXPECT_EQ(text.find("epoch 1:"), std::string::npos) << text.substr(0, 500);
  EXPECT_GE(losses(text).size(), 3) << text;
  third.end(SIGKILL);  // rank 0 this time
  EXPECT_EQ(fourth.wait(30), 1);
  EXPECT_THAT(fourth.err(), HasSubstr("rank 1: rank 0 was lost"));
}

TEST_F(SharedTraining, ASilentOneIsLostAfterItsTime) {
  const std::string shared = command("--epochs 3000 --worker-timeout 2 -o " + path("out.onnx"));
  const int port = free_port();
  Process first(folder_, "first", shared, place(0, 2, port)), second(folder_, "second", shared, place(1, 2, port));
  for (const auto start = Clock::now(); losses(first.err()).size() < 3 && seconds_since(start) < 60;)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  second.send(SIGSTOP);
  EXPECT_EQ(first.wait(20), 1);
  EXPECT_THAT(first.err(), HasSubstr("rank 1 was lost"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "out.onnx.checkpoint"));
}

TEST_F(SharedTraining, WhoTrainsSomethingElseIsTold) {
  const int port = free_port();
  Process first(folder_, "first", command("--epochs 2 -o " + path("out.onnx")), place(0, 2, port)),
      second(folder_, "second", command("--epochs 3 -o " + path("out.onnx")), place(1, 2, port));
  EXPECT_EQ(first.wait(60), 2);
  EXPECT_EQ(second.wait(20), 2);
  for (const Process* one : {&first, &second})
    EXPECT_THAT(one->err(), HasSubstr("rank 1 trains something else than rank 0"));
}

TEST_F(SharedTraining, AMissingOneIsNamed) {
  Process first(folder_, "first", command("--epochs 2 --worker-timeout 0.2 -o " + path("out.onnx")),
                place(0, 2, free_port()));
  EXPECT_EQ(first.wait(40), 1);
  EXPECT_THAT(first.err(), HasSubstr("rank 1 of 2 did not come"));
}

TEST_F(SharedTraining, VariablesThatDoNotFitAreRefused) {
  const std::string line = command("--epochs 1 -o " + path("out.onnx"));
  const auto error_of = [&](std::map<std::string, std::string> variables, const char* without) {
    if (without != nullptr) variables.erase(without);
    Process one(folder_, "one", line, variables);
    EXPECT_EQ(one.wait(30), 2);
    return one.err();
  };
  EXPECT_THAT(error_of(place(0, 2, 29500), "MASTER_ADDR"), HasSubstr("MASTER_ADDR"));
  EXPECT_THAT(error_of(place(0, 2, 29500), "RANK"), HasSubstr("RANK='' is no number"));
  EXPECT_THAT(error_of(place(2, 2, 29500), nullptr), HasSubstr("no place among workers"));
  Process small(folder_, "small", line + " --workers 0/8@127.0.0.1:29500", {});
  EXPECT_EQ(small.wait(30), 2);
  EXPECT_THAT(small.err(), HasSubstr("a batch of 9 is too small for 8 workers"));
  // One alone is no group.
  Process alone(folder_, "alone", line, place(0, 1, 29500));
  EXPECT_EQ(alone.wait(30), 0) << alone.err();
}

}  // namespace
}  // namespace pare::testing

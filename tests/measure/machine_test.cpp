#include "measure/machine.h"

#include "support/support.h"

namespace pare::testing {
namespace {

TEST(DescribeCpu, NamesServersAndTheirWidestSet) {
  EXPECT_EQ(describe_cpu("processor\t: 0\nmodel name\t: AMD EPYC 9654 96-Core Processor\nflags\t\t: fpu avx2 avx512f "
                         "avx512_vnni avx512_bf16\n\nprocessor\t: 1\nmodel name\t: other\n"),
            "AMD EPYC 9654 (AVX-512 VNNI)");
  EXPECT_EQ(describe_cpu("model name\t: Intel(R) Xeon(R) Platinum 8488C\nflags\t\t: avx2 avx512f avx512_vnni avx_vnni "
                         "amx_bf16 amx_tile amx_int8\n"),
            "Intel Xeon Platinum 8488C (AMX)");
  EXPECT_EQ(describe_cpu("model name\t: Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz\nflags\t\t: sse4_2 avx avx2\n"),
            "Intel Xeon E5-2680 v4 (AVX2)");
  EXPECT_EQ(describe_cpu("model name\t: Intel(R) Xeon(R) CPU @ 2.00GHz\nflags\t\t: avx2 avx512f\n"),
            "Intel Xeon (AVX-512)");
}

TEST(DescribeCpu, NamesDesktopsAndSmallOnes) {
  EXPECT_EQ(describe_cpu("model name\t: 12th Gen Intel(R) Core(TM) i7-1260P\nflags\t\t: avx2 avx_vnni\n"),
            "12th Gen Intel Core i7-1260P (AVX-VNNI)");
  EXPECT_EQ(describe_cpu("model name\t: AMD Ryzen 7 4800H with Radeon Graphics\nflags\t\t: avx2\n"),
            "AMD Ryzen 7 4800H (AVX2)");
  EXPECT_EQ(describe_cpu("model name\t: Intel(R) Atom(TM) CPU N270 @ 1.60GHz\nflags\t\t: sse2 ssse3\n"),
            "Intel Atom N270");
}

TEST(DescribeCpu, KnowsArmByItsNumbers) {
  EXPECT_EQ(describe_cpu("processor\t: 0\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd asimdhp asimddp\nCPU implementer\t: "
                         "0x41\nCPU architecture: 8\nCPU part\t: 0xd0c\n"),
            "ARM Neoverse-N1 (NEON dot)");
  EXPECT_EQ(describe_cpu("model name\t: ARMv7 Processor rev 3 (v7l)\nFeatures\t: half thumb\nCPU implementer\t: "
                         "0x41\nCPU part\t: 0xd08\n"),
            "ARM Cortex-A72");
  EXPECT_EQ(describe_cpu("Features\t: fp asimd\nCPU implementer\t: 0x99\nCPU part\t: 0x123\n"), "ARM CPU 0x99/0x123");
  EXPECT_EQ(describe_cpu(""), "unknown CPU");
}

TEST(CpuFeatures, AreReadAsWholeWords) {
  const CpuFeatures amx = parse_cpu_features("flags\t\t: avx2 avx512f avx512_vnni amx_bf16 amx_tile amx_int8\n");
  EXPECT_TRUE(amx.avx2 && amx.avx512 && amx.avx512_vnni && amx.amx_bf16 && amx.amx_int8);
  EXPECT_FALSE(amx.avx_vnni || amx.avx512_bf16 || amx.neon_dot);
  EXPECT_TRUE(amx.safe_int8());
  // avx512_vnni is not avx_vnni, and VNNI of any kind does not follow from AVX-512.
  const CpuFeatures skylake = parse_cpu_features("flags\t\t: avx2 avx512f avx512_vnni2\n");
  EXPECT_TRUE(skylake.avx512);
  EXPECT_FALSE(skylake.avx512_vnni || skylake.avx_vnni || skylake.safe_int8());
  EXPECT_TRUE(parse_cpu_features("Features\t: fp asimd asimddp\n").safe_int8());
  EXPECT_FALSE(parse_cpu_features("Features\t: fp asimd\n").safe_int8());
}

TEST(ThisMachine, HasANameAndAPeakOfMemory) {
  EXPECT_FALSE(cpu_description().empty());
  const std::int64_t before = peak_memory_bytes();
  EXPECT_GT(before, 1 << 20);
  {
    std::vector<char> big(std::size_t{64} << 20, 1);
    ASSERT_EQ(big[big.size() / 2], 1);
  }
  EXPECT_GE(peak_memory_bytes(), before + (std::int64_t{32} << 20));
}

TEST(StatusBytes, AreFoundByTheirKey) {
  const std::string status = "Name:\tpare\nVmPeak:\t  900 kB\nVmHWM:\t    1234 kB\nVmRSS:\t 12 kB\n";
  EXPECT_EQ(parse_status_bytes(status, "VmHWM"), 1234 * 1024);
  EXPECT_EQ(parse_status_bytes(status, "VmSwap"), -1);
}

}  // namespace
}  // namespace pare::testing

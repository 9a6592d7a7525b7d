import AgentKit
import SystemSupport
import Testing
import TransferCommon

/// Tests of how an agent divides its descriptors, and of how it waits for a free one.
@Suite struct DescriptorPlanTests {
    @Test(arguments: [(40, 2, 3), (64, 8, 12), (256, 56, 84), (1_024, 248, 372)])
    func dividesTheDescriptors(_ limit: Int, _ connections: Int, _ files: Int) {
        let plan = DescriptorPlan(limit: limit)
        #expect(plan.connectionsMax == connections)
        #expect(plan.filesMax == files)
    }

    /// An agent has at most 256 uploads. Under the usual limit of descriptors, all of them may have their files open at
    /// once.
    @Test func usualLimitIsEnough() {
        #expect(DescriptorPlan(limit: DescriptorLimit.usual).filesMax >= 256)
    }

    @Test func everyPlanFitsItsLimit() {
        for limit in DescriptorLimit.fewest...2_000 {
            let plan = DescriptorPlan(limit: limit)
            #expect(plan.connectionsMax >= 1 && plan.filesMax >= 1)
            // A run opens at most `filesMax` files to upload, `filesMax` directories in which it looks for files, its
            // connections, and 24 other descriptors.
            #expect(2 * plan.filesMax + plan.connectionsMax + 24 <= limit)
        }
    }

    @Test func tooLowLimitIsExplained() throws {
        #expect(DescriptorLimit.shortage(of: DescriptorLimit.fewest) == nil)
        let shortage = try #require(DescriptorLimit.shortage(of: 16))
        #expect(shortage.contains("only 16 files open") && shortage.contains("needs 40"))
    }

    @Test func waitsAsLongAsItsPatience() {
        var wait = DescriptorWait(patience: .seconds(10))
        let start = Instant(nanoseconds: 0)
        #expect(!wait.isWaiting)
        var answers = [0, 9, 10].map { wait.wasRefused(now: start + .seconds($0)) }
        #expect(answers == [true, true, false])
        #expect(wait.isWaiting)
        wait.wasOpened()
        #expect(!wait.isWaiting)
        answers = [11, 20].map { wait.wasRefused(now: start + .seconds($0)) }
        #expect(answers == [true, true])
    }
}

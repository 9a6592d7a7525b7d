import Testing
import TransferCommon
import TransferCore
import WireProtocol

/// At most one upload uses a key at a time. A second upload to the same key waits until the first has ended.
@Suite struct KeyUseTests {
    @Test func keyIsFreeUntilAnUploadBegins() {
        var driver = AgentDriver()
        #expect(driver.machine.freeKeyCount(of: ["file", "other"]) == 2)
        driver.submit(size: 2_500)
        #expect(driver.machine.freeKeyCount(of: ["file", "other"]) == 0)
        #expect(driver.machine.freeKeyCount(of: ["other", "file", "third"]) == 1)
        #expect(driver.machine.freeKeyCount(of: []) == 0)
    }

    @Test func keyIsFreeAgainWhenItsUploadHasEnded() {
        var driver = AgentDriver()
        driver.submit(size: 2_500)
        driver.handle(.dropped(AgentDriver.upload))
        driver.commit()
        #expect(driver.outcomes == [.dropped])
        #expect(driver.machine.freeKeyCount(of: ["file"]) == 1)
    }

    /// The two keys consist of different bytes but show the same characters, so for Swift the strings are equal. The
    /// agent must compare bytes, so that the second key counts as free.
    @Test func keysAreComparedByTheirBytes() {
        var driver = AgentDriver()
        let request = UploadRequest(
            id: AgentDriver.upload, purpose: .push, key: "caf\u{E9}", stamp: AgentDriver.stamp, policy: .verify,
            partBytesWish: nil, saved: nil, wasStoredBefore: false)
        driver.handle(.submitted(request))
        #expect("caf\u{E9}" == "cafe\u{301}")
        #expect(driver.machine.freeKeyCount(of: ["cafe\u{301}"]) == 1)
        #expect(driver.machine.freeKeyCount(of: ["caf\u{E9}"]) == 0)
    }
}

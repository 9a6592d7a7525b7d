import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// The agent rejects a gateway. During the handshake this ends every upload; later it ends only the connection.
@Suite struct RejectionTests {
    private static let untrusted = UploadFailure(.gatewayUntrusted, "another key")

    private static func kind(_ driver: AgentDriver) -> UploadFailure.Kind? {
        guard case .failed(let failure)? = driver.outcomes.first else { return nil }
        return failure.kind
    }

    @Test func aGatewayThatIsNotTrustedEndsEveryUpload() throws {
        var driver = AgentDriver()
        driver.submit(size: 2_500)
        let connection = try #require(driver.connections.last)
        driver.change { $0.rejected(Self.untrusted, by: connection, now: $1) }
        driver.commit()
        #expect(Self.kind(driver) == .gatewayUntrusted)
    }

    /// If TLS rejects the gateway after the handshake, bytes were damaged in transit, so the agent connects again.
    @Test func anOpenConnectionIsMadeAnew() throws {
        var driver = AgentTableTests.driver(in: .sendingDecided)
        let connection = try #require(driver.connections.last)
        driver.change { $0.rejected(Self.untrusted, by: connection, now: $1) }
        #expect(!driver.connections.contains(connection))
        driver.tick(after: .seconds(5))
        #expect(driver.connections.count == 1, "it connects again")
        #expect(driver.outcomes.isEmpty)
    }

    /// After a failure the journal never commits again, so an upload that is submitted later fails at once.
    @Test func submissionAfterJournalFailureEndsAtOnce() {
        var driver = AgentDriver()
        driver.change { $0.journalFailed(UploadFailure(.journalFull), now: $1) }
        driver.submit(size: 2_500)
        #expect(Self.kind(driver) == .journalFull)
        #expect(driver.machine.isIdle)
    }

    @Test func anObjectOfAnotherSizeIsNotCompared() {
        var driver = AgentTableTests.driver(in: .opening)
        let exists = SessionExists(
            size: .max, partBytes: 1_000, evidence: .root(ToyDigest.sha256([1])), etag: "e", version: "", session: nil)
        let actions = driver.frame(.sessionExists(exists))
        #expect(
            !actions.contains { action in
                if case .computeEvidence = action { true } else { false }
            })
        driver.commit()
        #expect(Self.kind(driver) == .keyTaken)
    }
}

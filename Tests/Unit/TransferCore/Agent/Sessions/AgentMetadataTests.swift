import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// The metadata that the user chose belongs to the session terms: the agent sends it in SESSION OPEN and saves it in
/// its journal (specification §6.6).
@Suite struct AgentMetadataTests {
    private static func metadata(_ value: String) throws -> SessionMetadata {
        try SessionMetadata(
            OfferedMetadata(contentType: "video/mp4", pairs: [MetadataPair(name: "line", value: value)]))
    }

    private func opened(_ actions: [AgentAction]) -> SessionOpen? {
        for case .sessionOpen(let open) in frames(actions) { return open }
        return nil
    }

    @Test func metadataReachSessionOpenAndJournal() throws {
        let metadata = try Self.metadata("3")
        var driver = AgentDriver()
        let actions = driver.submit(size: 2_500, metadata: metadata) + driver.welcome() + driver.commit()
        #expect(try #require(opened(actions)).metadata == metadata.offered)
        let rows = actions.compactMap { action -> SavedSession? in
            guard case .journal(_, .began(_, let saved)) = action else { return nil }
            return saved
        }
        #expect(rows.map(\.metadata) == [metadata])
    }

    @Test func sessionIsResumedOnlyWithEqualMetadata() throws {
        for (value, isSame) in [("3", true), ("4", false)] {
            var saved = AgentDriver.saved()
            saved.metadata = try Self.metadata("3")
            var driver = AgentDriver()
            let sent = frames(
                driver.submit(size: 2_500, saved: saved, metadata: try Self.metadata(value)) + driver.welcome())
            let isResumed = sent.contains { if case .resumeQuery = $0 { true } else { false } }
            let isAborted = sent.contains { if case .abort = $0 { true } else { false } }
            #expect(isResumed == isSame && isAborted != isSame, "\(value)")
        }
    }

    /// `resume` takes no metadata from the command line, so the metadata of the saved session applies.
    @Test func resumingByNumberKeepsMetadata() throws {
        var saved = AgentDriver.saved(stored: 0, token: [])
        saved.metadata = try Self.metadata("3")
        var driver = AgentDriver()
        let actions = driver.submit(size: 2_500, saved: saved, purpose: .resume) + driver.welcome() + driver.commit()
        #expect(try #require(opened(actions)).metadata == saved.metadata.offered)
    }
}

import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import WireProtocol

@Suite struct LeftoverUploadTests {
    private static let answers: [StoreAnswer] =
        [.done, .parts([]), .parts(GatewayDriver.entries(of: 900))]
        + [.uploadUnknown, .unavailable(retryAfter: .zero), .denied].map { .failed($0) }

    private static func dropping() -> LeftoverUpload {
        var leftover = LeftoverUpload()
        leftover.drops(StoreRequestID(1))
        return leftover
    }

    private static func listing() -> LeftoverUpload {
        var leftover = dropping()
        #expect(leftover.answered(.done, mayLand: false) == .list)
        leftover.lists(StoreRequestID(2))
        return leftover
    }

    private static func name(of leftover: LeftoverUpload) -> String {
        switch leftover.phase {
        case .idle: "idle"
        case .dropping: "dropping"
        case .listing: "listing"
        }
    }

    @Test func theTableIsTrue() throws {
        var changes: Set<TransitionTable.Row> = [TransitionTable.Row(from: "idle", to: Self.name(of: Self.dropping()))]
        for leftover in [Self.dropping(), Self.listing()] {
            // A store answers a listing with a list or with a failure, never with `done`.
            for answer in Self.answers where answer != .done || leftover == Self.dropping() {
                var next = leftover
                if next.answered(answer, mayLand: false) == .list { next.lists(StoreRequestID(3)) }
                changes.insert(TransitionTable.Row(from: Self.name(of: leftover), to: Self.name(of: next)))
            }
        }
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Gateway/Session/LeftoverUpload.swift")
        #expect(rows.count == Set(rows).count)
        #expect(Set(rows) == changes)
    }

    @Test func awaitsOnlyTheRequestOfItsPhase() {
        #expect(!LeftoverUpload().awaits(StoreRequestID(1)))
        #expect(Self.dropping().awaits(StoreRequestID(1)))
        #expect(!Self.listing().awaits(StoreRequestID(1)))
        #expect(Self.listing().awaits(StoreRequestID(2)))
    }

    /// If a part is left of the upload, the cleaner can find it only by the session's record. So the gateway removes
    /// the record only when nothing of the upload is left and no part can arrive any more.
    @Test func theRecordStaysWhilePartsMayBeLeft() {
        for answer in [.failed(.uploadUnknown), .parts([])] as [StoreAnswer] {
            for (mayLand, result) in [(false, .removeRecord), (true, .nothing)]
                as [(Bool, LeftoverUpload.OnAnswer)]
            {
                var leftover = Self.listing()
                #expect(leftover.answered(answer, mayLand: mayLand) == result)
                #expect(leftover.isIdle)
            }
        }
        var leftover = Self.listing()
        #expect(leftover.answered(.parts(GatewayDriver.entries(of: 900)), mayLand: false) == .nothing)
    }
}

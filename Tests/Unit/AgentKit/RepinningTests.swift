import AgentKit
import Cryptography
import Foundation
import TestSupport
import Testing
import TransferCommon
import TransferCore
import WireProtocol

/// Tests of a home that is to trust another gateway and keeps its identity and journal.
@Suite struct RepinningTests {
    private static func pin(_ number: UInt8) throws -> Fingerprint { Fingerprint(try .of([number])) }

    private static func withHome(_ body: (AgentHome) throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let home = AgentHome(path: directory.path(percentEncoded: false))
            try home.createOrGoOn(name: "cam", gateway: "old:1", pin: pin(1))
            try body(home)
        }
    }

    @Test func identityAndJournalStayUnderTheNewPin() async throws {
        try await Self.withHome { home in
            let identity = try home.identity().fingerprint
            let journal = try Journal.open(home.journalPath)
            try journal.apply([.site(.init(store: .zero, device: "cam", prefix: "cam/"))], nowMilliseconds: 1) { _ in
                nil
            }
            try journal.close()
            try home.keep([Self.pin(1), Self.pin(2)])
            try Repinning(home).trust(pin: Self.pin(3), gateway: "new:2")
            #expect(try home.pins().keys == [Self.pin(3)], "keys that were learned under the old pin are forgotten")
            #expect(try home.identity().fingerprint == identity)
            #expect(try Journal.open(home.journalPath).site()?.device == "cam")
            // An invitation of the new gateway now continues with this home.
            try home.createOrGoOn(name: "cam", gateway: "new:2", pin: Self.pin(3))
        }
    }

    /// Another site cannot read the tokens of the site before. An agent that kept them would wait for a gateway that
    /// can.
    @Test func unfinishedUploadsBeginAnewAtTheOtherSite() async throws {
        try await Self.withHome { home in
            let id = UploadID(1)
            let stamp = FileStamp(
                device: 1, inode: 2, size: 9, modification: ModificationTime(seconds: 3, nanoseconds: 0),
                change: ModificationTime(seconds: 3, nanoseconds: 0))
            let saved = SavedSession(
                session: SessionID(high: 1, low: 2), token: [1, 2], partBytes: 5, stamp: stamp, parts: [], losses: 0)
            let entry = PartListEntry(part: try #require(PartNumber(1)), size: 5, digest: try .of([1]), etag: "e")
            let journal = try Journal.open(home.journalPath)
            try journal.apply([.began(id, saved), .stored(id, entry)], nowMilliseconds: 1) { _ in
                Journal.Subject(path: "/f", key: "f", policy: .verify)
            }
            try journal.close()
            try Repinning(home).trust(pin: Self.pin(3), gateway: "new:2")
            let row = try #require(try Journal.open(home.journalPath).upload(id))
            #expect(row.saved.token == [] && row.saved.parts == [])
        }
    }

    /// Without the flag an invitation of another gateway changes nothing, and the message names the flag.
    @Test func anotherGatewayIsRefusedWithAdvice() async throws {
        try await Self.withHome { home in
            let error = #expect(throws: AgentHomeError.self) {
                try home.createOrGoOn(name: "cam", gateway: "new:2", pin: Self.pin(3))
            }
            #expect(error?.description.contains("--repin") == true)
            let pins = try home.pins().keys
            #expect(pins == [try Self.pin(1)])
        }
    }

    @Test func aHomeAtWorkIsNotChanged() async throws {
        try await Self.withHome { home in
            let lock = try home.lock()
            let error = #expect(throws: AgentHomeError.self) {
                try Repinning(home).trust(pin: Self.pin(3), gateway: "new:2")
            }
            #expect(error?.kind == .busy)
            withExtendedLifetime(lock) {}
        }
    }

    /// The authority in the home may be the one that the old settings name.
    @Test func refusedChangeLeavesTheAuthorityAsItWas() async throws {
        try await withTemporaryDirectory { directory in
            let authority = try await Authority(in: directory.appending(path: "authority"))
            let home = AgentHome(path: directory.appending(path: "home").path(percentEncoded: false))
            try home.createOrGoOn(name: "cam", gateway: "old:1", pin: Self.pin(1))
            let copy = URL(filePath: home.path + "/authority.crt")
            try Data("old".utf8).write(to: copy)
            // Only a person can change a file of this form.
            let settings = "{gateway: \"old:1\", pin: \"\(try Self.pin(1))\"}\n"
            try Data(settings.utf8).write(to: URL(filePath: home.path + "/agent.yaml"))
            let error = #expect(throws: AgentHomeError.self) {
                try Repinning(home).trust(authorityAt: authority.certificatePath, gatewayName: "new", gateway: "new:2")
            }
            #expect(error?.description.contains("cannot be changed by a program") == true)
            #expect(try Data(contentsOf: copy) == Data("old".utf8))
        }
    }

    @Test func aMissingHomeIsNotMade() async throws {
        try await withTemporaryDirectory { directory in
            let home = AgentHome(path: directory.appending(path: "none").path(percentEncoded: false))
            #expect(throws: AgentHomeError.self) { try Repinning(home).trust(pin: Self.pin(3), gateway: "new:2") }
            #expect(!FileManager.default.fileExists(atPath: home.path))
        }
    }
}

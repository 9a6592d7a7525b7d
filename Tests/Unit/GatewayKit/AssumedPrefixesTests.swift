import Foundation
import GatewayKit
import NIOPosix
import ObjectStore
import TestSupport
import Testing
import TransferCore

/// Tests of the warning about devices whose line in the device list states no prefix. The gateway gives such a device
/// the prefix `NAME/`, and earlier versions let it write any key.
@Suite(.timeLimit(.minutes(5)))
struct AssumedPrefixesTests {
    private static let fingerprint = "sha256:" + String(repeating: "1", count: 64)

    @Test func nothingIsSaidTwice() {
        var prefixes = AssumedPrefixes(in: "The list")
        let none = prefixes.fileWasRead([])
        #expect(none == nil)
        let first = prefixes.fileWasRead(["cam1"])
        #expect(first?.hasPrefix("The list has lines without prefix=: cam1. ") == true)
        #expect(first?.contains("prefix=NAME/ to the line, or prefix= for any key") == true)
        let again = prefixes.fileWasRead(["cam1"])
        #expect(again == nil)
        let other = prefixes.fileWasRead(["cam1", "cam2"])
        #expect(other?.hasPrefix("The list has lines without prefix=: cam1, cam2. ") == true)
    }

    @Test func longListIsCut() throws {
        let message = try #require(AssumedPrefixes.message((0..<1_000).map { "cam\($0)" }, in: "The list"))
        #expect(message.contains(" cam19 and 980 more. ") && !message.contains("cam20"))
    }

    /// The warning names only lines with a fingerprint and without a prefix, because only their meaning has changed.
    /// When a command writes the list again, it states every prefix.
    @Test func linesThatStateAPrefixAreNotNamed() throws {
        let text = """
            old \(Self.fingerprint) sessions=5
            any \(Self.fingerprint.replacing("1", with: "2")) prefix=
            own \(Self.fingerprint.replacing("1", with: "3")) prefix=yard/
            cam certificate
            gone revoked

            """
        var list = try DeviceList(parsing: text)
        #expect(list.namesOfAssumedPrefix == ["old"])
        #expect(list.devices.map(\.prefix) == ["old/", "", "yard/"])
        #expect(try DeviceList(parsing: list.text).namesOfAssumedPrefix == [])
        #expect(try DeviceList(parsing: list.text) == list)
        _ = list.remove(name: "old")
        #expect(list.namesOfAssumedPrefix == [])
    }

    @Test func invitationsWithoutPrefixAreNamed() throws {
        let digest = String(repeating: "1", count: 64)
        let lines = ["old", "own"].map { "\($0) \(digest) 2099-11-24T15:00:00Z" }
        var list = try InvitationList(parsing: "\(lines[0])\n\(lines[1]) prefix=yard/\n")
        #expect(list.namesOfAssumedPrefix == ["old"])
        _ = list.remove(name: "old")
        #expect(list.namesOfAssumedPrefix == [])
    }

    @Test func gatewaySaysItAtStartAndAtAChange() async throws {
        try await withTemporaryDirectory { directory in
            let site = InProcessSite(directory: directory)
            let home = try site.home()
            let objects = directory.appending(path: "store").path(percentEncoded: false)
            try FileManager.default.createDirectory(atPath: objects, withIntermediateDirectories: true)
            let store = try await FileStore.open(path: objects, threads: .singleton, logger: InProcessSite.logger)
            try Data("cam1 \(Self.fingerprint)\n".utf8).write(to: URL(filePath: home.devicesPath))
            let advice = try #require(home.adviceAboutPrefixes)
            let limits = try GatewayServer.limits(for: store, budgetBytes: nil)
            let log = Watched([String]())
            try await site.withGateway(store, limits: limits, logger: LineKeeper.logger(log)) { _ in
                #expect(log.current.filter { $0.hasPrefix(advice) }.count == 1, "\(log.current)")
                let second = "cam2 \(Self.fingerprint.replacing("1", with: "2"))\n"
                try Data("cam1 \(Self.fingerprint)\n\(second)".utf8).write(to: URL(filePath: home.devicesPath))
                try await withDeadline(.seconds(120), "the gateway to read the list") {
                    try await log.wait { lines in
                        lines.contains { $0.hasPrefix("The device list has lines without prefix=: cam1, cam2. ") }
                            ? () : nil
                    }
                }
            }
            try await store.close()
        }
    }
}

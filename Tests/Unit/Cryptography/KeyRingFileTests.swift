import Cryptography
import CryptographySupport
import Foundation
import SystemSupport
import TestSupport
import Testing
import WireProtocol

@Suite struct KeyRingFileTests {
    private static let secret = String(repeating: "5e", count: 32)

    @Test func loadedRingOpensSealedTokens() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let path = directory.file("keyring")
            let created = try KeyRing.create(at: path)
            let loaded = try KeyRing.load(from: path)
            #expect(loaded.entries == created.entries)
            #expect(try loaded.open(created.seal([1, 2, 3], context: [4]), context: [4]) == [1, 2, 3])
            #expect(try mode(of: path) == 0o600)
            #expect(try directory.names() == ["keyring"])
        }
    }

    @Test func createKeepsAnExistingRing() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let path = directory.file("keyring")
            _ = try KeyRing.create(at: path)
            let before = try contents(of: path)
            let error = #expect(throws: KeyRingError.self) { try KeyRing.create(at: path) }
            guard case .file(let fileError) = error else { throw try #require(error) }
            #expect(fileError.isExisting)
            #expect(try contents(of: path) == before)
            #expect(try directory.names() == ["keyring"])
        }
    }

    @Test func aSavedRotationReplacesTheRing() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let path = directory.file("keyring")
            let rotated = try KeyRing.create(at: path).rotated()
            try rotated.save(to: path)
            #expect(try KeyRing.load(from: path).entries == rotated.entries)
            #expect(try mode(of: path) == 0o600)
        }
    }

    @Test(arguments: [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666, 0o777])
    func ringReadableByOthersIsRefused(mode: Int) async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let path = directory.file("keyring")
            _ = try KeyRing.create(at: path)
            try setMode(mode, of: path)
            let expected = FileError(path: path, cause: .openToOthers(mode: UInt32(mode)))
            #expect(throws: KeyRingError.file(expected)) { try KeyRing.load(from: path) }
            #expect(expected.description.contains("chmod 600"))
        }
    }

    @Test(arguments: [0o600, 0o400])
    func ringReadableByOwnerOnlyIsLoaded(mode: Int) async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let path = directory.file("keyring")
            let ring = try KeyRing.create(at: path)
            try setMode(mode, of: path)
            #expect(try KeyRing.load(from: path).entries == ring.entries)
        }
    }

    @Test func missingAndUnusableRingsDiffer() async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let error = #expect(throws: KeyRingError.self) { try KeyRing.load(from: directory.file("keyring")) }
            guard case .file(let fileError) = error else { throw try #require(error) }
            #expect(fileError.isMissing)
        }
    }

    @Test func commentsAndSpacingAreIgnored() throws {
        let retired = "\t0000000a\tretired  \(Self.secret)\r"
        let sealing = "0000000B sealing \(Self.secret.uppercased())"
        let text = "# a comment\r\n\n   \n\(retired)\n #\n\(sealing)"
        let ring = try KeyRing(text: Array(text.utf8))
        #expect(ring.entries.map(\.id.value) == [10, 11])
        #expect(ring.entries.map(\.state) == [.retired, .sealing])
        #expect(ring.sealingKey.secret == [UInt8](repeating: 0x5E, count: 32))
    }

    @Test(arguments: [
        "0000000a sealing", "0000000a sealing 5e", "0000000a sealing \(secret.dropLast(1))",
        "0000000a sealing \(secret.dropLast(2))", "0000000a sealing \(secret)5e", "0000000a sealing \(secret) more",
        "0000000a sealing \(secret.dropLast(1))g", "0000000 sealing \(secret)", "000000 sealing \(secret)",
        "0000000a0b sealing \(secret)", "0000000g sealing \(secret)", "0000000a Sealing \(secret)",
        "0000000a closed \(secret)", "sealing 0000000a \(secret)", "0000000a \(secret) sealing", "\u{FF}", "\0",
    ])
    func malformedLineIsNumberedButNotShown(line: String) {
        let error = #expect(throws: KeyRingError.malformedLine(number: 2)) {
            try KeyRing(text: Array("# first\n\(line)\n".utf8))
        }
        #expect(error?.description == "Line 2 of the key ring is not an id, a state and a key.")
    }

    @Test func aRingWithoutASealingKeyIsRefused() {
        for text in ["", "0000000a opening \(Self.secret)\n", "0000000a retired \(Self.secret)\n"] {
            #expect(throws: KeyRingError.noSealingKey) { try KeyRing(text: Array(text.utf8)) }
        }
    }

    @Test func duplicateKeyIsRefused() {
        let text = "0000000a sealing \(Self.secret)\n0000000a retired \(Self.secret)\n"
        #expect(throws: KeyRingError.duplicateKey(KeyRing.KeyID(value: 10))) { try KeyRing(text: Array(text.utf8)) }
    }

    @Test func truncatedFileGivesWholeLinesOrAnError() throws {
        let ring = try KeyRing.make()
        for byteCount in 0..<ring.text.count {
            do throws(KeyRingError) {
                let cut = try KeyRing(text: Array(ring.text[..<byteCount]))
                #expect(ring.entries.starts(with: cut.entries))
            } catch {
                switch error {
                case .malformedLine, .noSealingKey: break
                default: Issue.record("cut at \(byteCount): \(error)")
                }
            }
        }
    }

    @Test func printedRingHidesItsKeys() throws {
        let ring = try KeyRing(text: Array("0000000a sealing \(Self.secret)\n".utf8))
        var dumped = ""
        dump(ring, to: &dumped)
        dump(ring.keys, to: &dumped)
        dump(Optional(ring.sealingKey), to: &dumped)
        let texts = [
            dumped, "\(ring)", String(reflecting: ring), "\(ring.keys)", String(reflecting: ring.keys),
            "\(Mirror(reflecting: ring).children.map { $0 })",
        ]
        for text in texts {
            #expect(text.contains("0000000a"))
            #expect(!text.contains("5e5e") && !text.contains("94"), "a key shows in \(text)")
        }
    }
}

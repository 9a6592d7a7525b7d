import Cryptography
import CryptographySupport
import Foundation
import SeededRandom
import TestSupport
import Testing
import WireProtocol

/// Receipts as text (specification §9.5), compared with Protocol/vectors/receipt-file.txt.
@Suite struct ReceiptFileTests {
    private static let sample = StoredReceipt(
        statement: (0...200).map { UInt8($0) }, signature: [9], publicKey: Array(repeating: 7, count: 100),
        certificates: [Array(repeating: 1, count: 48), [2]])

    private func read(_ text: String) throws(ReceiptFileError) -> [StoredReceipt] {
        try ReceiptFile.read(Array(text.utf8))
    }

    /// The number of the first invalid line of a file of receipts; `nil` if the text is valid.
    private func lineOfRefusal(_ text: String) -> Int? {
        do throws(ReceiptFileError) {
            _ = try read(text)
            return nil
        } catch {
            #expect(!error.expected.isEmpty)
            return error.line
        }
    }

    @Test func vectorFileHoldsTheVectorReceipt() throws {
        let bytes = try contents(of: ReceiptVector.filePath)
        let receipt = try ReceiptVector().receipt
        #expect(try ReceiptFile.read(bytes) == [receipt])
        let written = String(decoding: bytes, as: UTF8.self).split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(ReceiptFile.text(of: [receipt]) == written.map { $0 + "\n" }.joined())
    }

    @Test func roundTrips() throws {
        let vector = try ReceiptVector().receipt
        for receipts in [[], [Self.sample], [vector, Self.sample, vector]] {
            #expect(try read(ReceiptFile.text(of: receipts)) == receipts)
        }
        let lines = ReceiptFile.text(of: [Self.sample]).split(separator: "\n")
        #expect(lines.filter { $0.hasPrefix("-----BEGIN CERTIFICATE") }.count == 2)
        #expect(lines.dropFirst(3).allSatisfy { $0.count <= 64 })
    }

    @Test func commentsAndBlankLinesAreIgnored() throws {
        let text = ReceiptFile.text(of: [Self.sample])
        let spaced = text.split(separator: "\n").map { "# a comment\n\n\($0)\n" }.joined()
        #expect(try read(spaced) == [Self.sample])
        #expect(try read(String(text.dropLast())) == [Self.sample])
        #expect(try read("# nothing\n\n") == [])
    }

    @Test func malformedLinesAreRefusedByNumber() {
        let lines = ReceiptFile.text(of: [Self.sample]).split(separator: "\n").map(String.init)
        func with(_ line: Int, _ text: String) -> String {
            var changed = lines
            changed[line - 1] = text
            return changed.map { $0 + "\n" }.joined()
        }
        #expect(lineOfRefusal(with(1, "sluice receipt v2")) == 1)
        #expect(lineOfRefusal(with(1, "sluice receipt v1\r")) == 1)
        #expect(lineOfRefusal(with(2, "statement:")) == 2)
        #expect(lineOfRefusal(with(2, "statement: ")) == 2)
        #expect(lineOfRefusal(with(2, "statement: A")) == 2)
        #expect(lineOfRefusal(with(2, "statement: AAA")) == 2)
        // The last Base64 digit has bits that encode no data. They must be 0.
        #expect(lineOfRefusal(with(2, "statement: AB==")) == 2)
        #expect(lineOfRefusal(with(2, "statement: AA==")) == nil)
        #expect(lineOfRefusal(with(2, "statement: A A==")) == 2)
        #expect(lineOfRefusal(with(3, "signature: " + String(repeating: "AAAA", count: 43))) == 3)
        #expect(lineOfRefusal(with(3, "signature: " + String(repeating: "AAAA", count: 42))) == nil)
        #expect(lineOfRefusal(with(4, "-----BEGIN PRIVATE KEY-----")) == 4)
        #expect(lineOfRefusal(with(5, "\u{e9}\u{e9}")) == 4)
        #expect(lineOfRefusal(with(5, String(repeating: "A", count: 65))) == 5)
        #expect(lineOfRefusal(lines.prefix(2).joined(separator: "\n")) == 3)
        #expect(lineOfRefusal(lines.prefix(5).joined(separator: "\n")) == 6)
        let long = String(repeating: String(repeating: "A", count: 64) + "\n", count: 20)
        #expect(lineOfRefusal(with(5, long)) != nil)
        let chain = lines + Array(lines.suffix(3)) * 15
        #expect(lineOfRefusal(chain.joined(separator: "\n")) != nil)
    }

    /// If the reader accepts a changed text, the receipts in it can be written and read again.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func anyTextIsReadOrRefused(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let whole = try contents(of: ReceiptVector.filePath) + Array(ReceiptFile.text(of: [Self.sample]).utf8)
        for _ in 0..<200 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let place = Int.random(in: bytes.indices, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: .min ... .max, using: &generator)
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(UInt8(ascii: "\n"), at: place)
                default: bytes = Array(bytes[...place])
                }
            }
            do throws(ReceiptFileError) {
                let receipts = try ReceiptFile.read(bytes)
                #expect(try ReceiptFile.read(Array(ReceiptFile.text(of: receipts).utf8)) == receipts)
                for receipt in receipts { _ = refusal(of: receipt) }
            } catch {
                #expect(error.line >= 1)
            }
        }
    }

    /// Runs the shell commands with which the specification verifies a receipt.
    @Test(arguments: KeyType.allCases)
    func opensslVerifiesAFile(keyType: KeyType) async throws {
        try await withTemporaryDirectory("secure-channel") { directory in
            let home = directory.file("home")
            try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: false)
            let identity = try Identity.create(in: home, name: "site", keyType: keyType)
            try write(ReceiptFile.text(of: [makeReceipt(by: identity)]), to: directory.file("r"))
            var commands = try specifiedCommands()
            try #require(commands.count == 3)
            if keyType == .p256 { commands[1] += " -digest sha256" }
            let script = (["set -e; cd '\(directory.directoryPath)'"] + commands).joined(separator: "\n")
            let lines = try await output(of: "sh", "-c", script)
            #expect(lines.first == "Signature Verified Successfully")
            #expect(lines.last?.hasPrefix("\(identity.fingerprint.digest) ") == true)
        }
    }
}

private func * (lines: [String], count: Int) -> [String] { (0..<count).flatMap { _ in lines } }

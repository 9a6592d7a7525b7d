import CommandSupport
import Foundation
import RepositoryFiles
import Testing

/// Tests of the output of `sluice-gateway receipt verify`. They call the code of the command and do not start the
/// program.
@Suite
struct ReceiptReportTests {
    private static let siteKey = "sha256:a050837d85070582ccf7394b0988847cc312cb88259b894899f6f239cf1791a5"
    private static let file = RepositoryFiles.url(of: "Protocol/vectors/receipt-file.txt")

    private static var path: String { file.path(percentEncoded: false) }

    private static func text() throws -> String { try String(contentsOf: file, encoding: .utf8) }

    private func withFile(_ text: String, _ body: (String) throws -> Void) throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "sluice-receipt-\(UUID().uuidString)")
        try Data(text.utf8).write(to: url)
        let result = Result { try body(url.path(percentEncoded: false)) }
        try FileManager.default.removeItem(at: url)
        try result.get()
    }

    @Test func aReceiptOfTheNamedKeyIsVerified() {
        let report = ReceiptReport(path: Self.path, signer: .key(Self.siteKey))
        #expect(report.exitCode == 0)
        #expect(report.advice == [])
        #expect(report.lines.first == "verified: site-a/camera/2026-01-01.mp4")
        #expect(report.lines.contains("  stored     2026-01-01T00:01:01Z, by the gateway's clock"))
        #expect(report.lines.last == "  signed by  " + Self.siteKey)
    }

    /// Without a trusted key, verification shows only which key signed the receipt.
    @Test func signerIsShownWithoutAKey() {
        let report = ReceiptReport(path: Self.path, signer: .anybody)
        #expect(report.exitCode == 0)
        #expect(report.advice.count == 1 && report.advice[0].contains("--key"))
    }

    @Test func anotherKeysReceiptIsNotVerified() {
        let report = ReceiptReport(path: Self.path, signer: .key("sha256:" + String(repeating: "0", count: 64)))
        #expect(report.exitCode == 1)
        #expect(report.lines.count == 1 && report.lines[0].hasPrefix("not verified: receipt 1 of 1: "))
        #expect(report.lines[0].contains(Self.siteKey))
    }

    /// The key may also be given as a file with a public key in PEM.
    @Test func aKeyMayBeAFile() throws {
        let lines = try Self.text().split(separator: "\n")
        try withFile(lines.suffix(3).joined(separator: "\n") + "\n") { path in
            #expect(ReceiptReport(path: Self.path, signer: .key(path)).exitCode == 0)
        }
    }

    @Test func invalidReceiptAmongValidOnesIsFound() throws {
        let text = try Self.text()
        let changed = text.replacingOccurrences(of: "signature: j", with: "signature: k")
        try withFile(text + changed + text) { path in
            let report = ReceiptReport(path: path, signer: .key(Self.siteKey))
            #expect(report.exitCode == 1)
            #expect(report.lines.filter { $0.hasPrefix("verified: ") }.count == 2)
            #expect(report.lines.filter { $0.hasPrefix("not verified: receipt 2 of 3: ") }.count == 1)
        }
    }

    @Test(arguments: ["", "# nothing\n"]) func aFileWithoutAReceiptVerifiesNothing(text: String) throws {
        try withFile(text) { path in
            let report = ReceiptReport(path: path, signer: .key(Self.siteKey))
            #expect(report.exitCode == 1 && report.lines == [] && report.advice.count == 1)
        }
    }

    @Test func unreadableInputIsReported() throws {
        let missing = ReceiptReport(path: "/nowhere/at/all", signer: .key(Self.siteKey))
        #expect(missing.exitCode == 66 && missing.lines == [])
        try withFile("sluice receipt v2\n") { path in
            let report = ReceiptReport(path: path, signer: .anybody)
            #expect(report.exitCode == 66)
            #expect(report.advice.first?.contains("line 1") == true)
        }
        let key = ReceiptReport(path: Self.path, signer: .key("sha256:12"))
        #expect(key.exitCode == 66)
        #expect(key.advice.first?.hasPrefix("--key") == true)
    }
}

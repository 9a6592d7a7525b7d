import AgentKit
import CommandSupport
import Foundation
import Synchronization
import Testing
import TransferCommon
import TransferCore
import WireProtocol
import sluice_agent

/// Tests that text from outside cannot control the terminal. File names come from other users of the machine, messages
/// from the gateway.
@Suite struct ForeignTextTests {
    /// Clears a terminal's screen and begins a line of its own, if it is printed as it is.
    private static let foreign = "x\u{1B}[2J\nforged\u{9B}1A\u{202E}"
    private static let visible = "x\\u{1b}[2J\\u{a}forged\\u{9b}1A\\u{202e}"

    private static func output(_ style: ProgressLines.Style, _ print: (ProgressLines) throws -> Void) rethrows -> String
    {
        let text = Mutex("")
        let size = TerminalSize(columns: 200, rows: 24)
        try print(ProgressLines(style: style, terminal: { size }) { piece in text.withLock { $0 += piece } })
        return text.withLock { $0 }
    }

    private static func printAll(_ lines: ProgressLines) throws {
        let figures = UploadProgress(size: 100, storedBytes: 10, bytesSent: 10, bytesResumed: 0)
        let failure = UploadFailure(.unreadable, foreign)
        let receipt = UploadReceipt(size: 1, partBytes: 1, root: nil, evidence: .none, etag: foreign, version: foreign)
        let number = try #require(PartNumber(1))
        lines.observe(.file(key: foreign, figures))
        lines.observe(.part(key: foreign, number: number, sent: 9, size: 9, isStored: true))
        lines.observe(.note(key: foreign, foreign))
        lines.observe(.finished(path: foreign, key: foreign, .failed(failure), figures))
        lines.observe(.finished(path: foreign, key: foreign, .stored(receipt, wasThere: false), figures))
        var summary = RunSummary()
        summary.files = 2
        summary.failures = [.init(path: foreign, key: foreign, failure: failure)]
        lines.conclude(summary)
    }

    @Test(arguments: [ProgressLines.Style.text(isTerminal: false, isVerbose: true), .quiet])
    func linesShowControls(style: ProgressLines.Style) throws {
        let text = try Self.output(style) { try Self.printAll($0) }
        #expect(text.contains(Self.visible))
        #expect(!text.split(separator: "\n").contains { $0.hasPrefix("forged") })
        #expect(text.unicodeScalars.allSatisfy { $0 == "\n" || !["\u{1B}", "\u{9B}", "\u{202E}"].contains($0) })
    }

    /// The replaced sequences move the cursor up, erase the old board, and keep lines from breaking. No other control
    /// sequence may appear.
    @Test func boardShowsControls() throws {
        let text = try Self.output(.text(isTerminal: true, isVerbose: true)) { try Self.printAll($0) }
        let rest = text.replacing(/\u{1B}\[\d+A\r\u{1B}\[K(\u{1B}\[B\u{1B}\[J\u{1B}\[A)?|\u{1B}\[\?7[lh]/, with: "")
        #expect(rest.contains(Self.visible))
        #expect(rest.unicodeScalars.allSatisfy { $0 == "\n" || $0.properties.generalCategory != .control }, "\(rest)")
        #expect(!rest.split(separator: "\n").contains { $0.hasPrefix("forged") })
    }

    /// A program that parses the JSON gets the names as they are. A terminal that shows the JSON receives none of their
    /// control characters.
    @Test func jsonEscapesControls() throws {
        let text = try Self.output(.json) { try Self.printAll($0) }
        #expect(
            text.unicodeScalars.allSatisfy { $0 == "\n" || $0.isASCII && $0.properties.generalCategory != .control })
        let keys = try text.split(separator: "\n").compactMap { line in
            let fields = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            return fields["relative_key"] as? String
        }
        #expect(!keys.isEmpty && keys.allSatisfy { $0.utf8.elementsEqual(Self.foreign.utf8) }, "\(keys)")
    }

    @Test func unfinishedUploadsShowControls() {
        let upload = AgentJournal.Unfinished(
            id: UploadID(1), path: "/d/" + Self.foreign, key: Self.foreign, size: 100, storedBytes: 50,
            isDropping: false,
            createdMilliseconds: 0, trouble: Self.foreign)
        #expect(upload.line.hasPrefix("1  \(Self.visible)  50 B of 100 B stored"))
        #expect(upload.line.hasSuffix("/d/\(Self.visible)  (stopped: \(Self.visible))"))
        var text = ""
        let dialogue = ResumeDialogue(read: { nil }, write: { text += $0 })
        _ = dialogue.ask([upload])
        #expect(text.hasPrefix(upload.line + "\n"))
    }
}

import AgentKit
import Cryptography
import Foundation
import GRDB
import SystemSupport
import Testing
import TransferCommon
import TransferCore
import WireProtocol

/// Tests of the form of messages: one sentence that names the cause and then what the user can do.
@Suite struct SentenceTests {
    /// Expects one sentence without its full stop, without doubled punctuation and without the text of a library.
    private static func expectForm(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) {
        let doubled = [".;", ".,", ".:", ";;", "..", ",;", ":;", " ;", " .", "  ", "()", "\n"]
        let noise = [
            "Error(", "Optional(", "Error Domain", "NSError", "SQLite error", "UploadFailure", "Code=", "errno",
        ]
        for part in doubled + noise {
            #expect(!text.contains(part), "\(part) in: \(text)", sourceLocation: sourceLocation)
        }
        #expect(!text.isEmpty, sourceLocation: sourceLocation)
        #expect(text.last.map { !".;:, ".contains($0) } == true, "\(text)", sourceLocation: sourceLocation)
        #expect(text.first?.isUppercase == false, "\(text)", sourceLocation: sourceLocation)
        #expect(!text.contains(/\. [A-Z]/), "more than one sentence: \(text)", sourceLocation: sourceLocation)
    }

    @Test(arguments: UploadFailure.Kind.allCases)
    func everyKindHasACauseAndAdvice(kind: UploadFailure.Kind) {
        for step in NextStep.allCases {
            let sentence = UploadFailure(kind).sentence(step)
            Self.expectForm(sentence)
            if kind == .superseded, step == .drop { continue }
            #expect(sentence.contains("; "), "no advice: \(sentence)")
        }
    }

    /// Gateways send messages as sentences of their own.
    @Test(arguments: FailureRule.all)
    func messagesOfGatewaysFitIntoASentence(rule: FailureRule) {
        for message in [
            "", "The store cannot do this.", "the key is too long", "UploadPart: 400 InvalidArgument: no. ",
        ] {
            for scope in rule.scopes {
                let failure =
                    scope == .connection
                    ? UploadFailure(ofConnection: rule.code, message: message)
                    : UploadFailure(rule.code, message: message)
                for step in NextStep.allCases where !message.contains(": no") {
                    Self.expectForm(failure.sentence(step))
                }
                #expect(!failure.sentence(.push).contains(".;"), "\(failure.sentence(.push))")
            }
        }
        let words = rule.code.words
        Self.expectForm(words)
        #expect(!words.contains("_"), "\(words)")
    }

    @Test(arguments: [
        ("The store cannot do this.", "the store cannot do this"), ("LZ4 failed; ", "LZ4 failed"),
        ("a:b.", "a:b"), ("", ""), ("...", ""), ("A", "A"), ("no change", "no change"),
    ])
    func textsBecomeBeginningsOfSentences(text: String, beginning: String) {
        #expect(text.asBeginningOfSentence == beginning)
    }

    /// Every error that may end a command, with a text of the library that the message must not repeat.
    @Test(arguments: [
        (UploadFailure(.storeFull) as any Error, 75), (DatabaseError(resultCode: .SQLITE_FULL), 74),
        (DatabaseError(resultCode: .SQLITE_IOERR, message: "disk I/O error", sql: "SELECT 1"), 74),
        (AgentHomeError(making: "/h", FileError(FileCall(.write, "/h/f"), errno: ENOSPC)), 74),
        (AgentHomeError(making: "/h", FileError(FileCall(.write, "/h/f"), errno: EACCES)), 66),
        (AgentHomeError(making: "/h", CocoaError(.fileWriteUnknown)), 66),
        (AgentHomeError(.busy, "another sluice-agent is at work in /h; wait for it"), 75),
    ])
    func errorsThatEndACommandHaveSentences(error: any Error, exitCode: Int) throws {
        let failure = try #require(AgentFailure(error))
        #expect(Int(failure.exitStatus.rawValue) == exitCode, "\(failure.sentence)")
        Self.expectForm(failure.sentence)
        #expect(!failure.sentence.contains("SELECT"))
    }

    @Test func journalFailuresNameNoStatement() {
        let error = DatabaseError(resultCode: .SQLITE_IOERR, message: "disk I/O error", sql: "SELECT 1", arguments: [7])
        #expect(JournalWriter.failure(error).cause == "the journal cannot be used (disk I/O error)")
        #expect(JournalWriter.failure(UploadFailure(.stopped)) == UploadFailure(.stopped))
        #expect(JournalWriter.failure(CocoaError(.fileNoSuchFile)).cause == "the journal cannot be used")
    }

    @Test func contentThatCannotBeProcessedIsNoFaultOfTheFile() {
        let failure = UploadFailure.cannotProcess(CryptographyError(operation: .digest, reason: nil))
        Self.expectForm(failure.sentence(.push))
        Self.expectForm(UploadFailure.cannotProcess(CocoaError(.fileNoSuchFile)).sentence(.push))
    }

    /// The prefix is put before a key, so it does not help against a segment that is not allowed.
    @Test func adviceAboutKeysNamesWhatHelps() {
        let failure = UploadFailure(.keyInvalid, "two slashes in a row")
        #expect(failure.sentence(.push).hasSuffix("choose another key: push the file alone with --key, or rename it"))
        #expect(failure.sentence(.pushStream).hasSuffix("choose another --key"))
    }

    /// A deleted file cannot be resumed, so the message says how its upload is dropped.
    @Test func missingFileOfAnUploadCanBeDropped() {
        let failure = UploadFailure(.missing, "there is no such file; check its path")
        #expect(failure.sentence(.pushOrResume).contains("sluice-agent abort ID"))
        #expect(!failure.sentence(.push).contains("abort"))
    }

    @Test(arguments: [
        (UploadFailure.noGateway, "connection refused", false, "the gateway could not be reached (connection refused)"),
        (.noGateway, nil, false, "the gateway could not be reached"),
        (
            .noGateway, "the connection has ended", true,
            "the gateway could not be reached (the connection has ended), or it requires TLS (then leave out "
                + "--plaintext)"
        ),
        (UploadFailure(.storeFull), "connection refused", true, "the store is full"),
        (UploadFailure(.unreachable, "leave out --plaintext"), nil, true, "leave out --plaintext"),
    ])
    func endOfARunNamesTheLastReason(failure: UploadFailure, reason: String?, isPlaintext: Bool, cause: String) {
        #expect(failure.explained(reasonOfAbsence: reason, isPlaintext: isPlaintext).cause == cause)
    }
}

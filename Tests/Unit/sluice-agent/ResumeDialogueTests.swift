import AgentKit
import Testing
import TransferCore
import sluice_agent

@Suite struct ResumeDialogueTests {
    private static let uploads = (1...4).map { number in
        AgentJournal.Unfinished(
            id: UploadID(Int64(number)), path: "/d/\(number)", key: "\(number)", size: 100, storedBytes: 50,
            isDropping: false, createdMilliseconds: 0, trouble: "")
    }

    private static func ask(_ answers: [String]) -> (decision: ResumeDialogue.Decision, text: String) {
        var rest = answers[...]
        var text = ""
        let dialogue = ResumeDialogue(read: { rest.popFirst() }, write: { text += $0 })
        return (dialogue.ask(uploads), text)
    }

    @Test func eachIsResumedKeptOrDropped() {
        let (decision, text) = Self.ask(["now", "l", " DROP ", ""])
        #expect(decision.now == [UploadID(1), UploadID(4)])
        #expect(decision.drop == [UploadID(3)])
        #expect(text.contains("3  3  50 B of 100 B stored"))
    }

    @Test func unknownAnswerIsAskedAgain() {
        let (decision, text) = Self.ask(["what?", "d", "later", "later", "later"])
        #expect(decision.drop == [UploadID(1)] && decision.now.isEmpty)
        #expect(text.contains("Please answer now, later or drop."))
    }

    /// A stream cannot be read again, so its upload cannot be resumed.
    @Test(arguments: [("", false), ("later", false), ("drop", true), ("now", false)])
    func aStreamIsOnlyDropped(answer: String, isDropped: Bool) {
        let stream = AgentJournal.Unfinished(
            id: UploadID(1), path: "-", key: "s", size: 0, storedBytes: 50, isDropping: false, createdMilliseconds: 0,
            trouble: "")
        var rest = [answer][...]
        var text = ""
        let decision = ResumeDialogue(read: { rest.popFirst() }, write: { text += $0 }).ask([stream])
        #expect(decision.now.isEmpty && decision.drop == (isDropped ? [UploadID(1)] : []))
        #expect(!text.contains("continue"), "\(text)")
        #expect(text.contains("Please answer later or drop.") == (answer == "now"))
        #expect(AgentJournal.Unfinished.advice(about: [stream]) == "Drop with: sluice-agent abort ID")
        #expect(AgentJournal.Unfinished.advice(about: [stream] + Self.uploads).contains("sluice-agent resume ID"))
    }

    /// On a narrow terminal a long key is shortened.
    @Test func progressStaysInSight() {
        var upload = Self.uploads[0]
        upload.key = String(repeating: "long/", count: 40) + "0840.mp4"
        var text = ""
        _ = ResumeDialogue(read: { nil }, write: { text += $0 }, width: 40).ask([upload])
        let line = text.split(separator: "\n").first ?? ""
        #expect(line.count <= 40 && line.contains("  50/100 B  "), "\(text)")
    }

    @Test func theEndOfInputLeavesTheRestForLater() {
        let (decision, _) = Self.ask(["now"])
        #expect(decision.now == [UploadID(1)] && decision.drop.isEmpty)
    }
}

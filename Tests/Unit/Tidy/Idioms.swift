/// A group of phrases that make a reader guess who acts or what happens.
private struct Idiom: Sendable {
    let name: String

    /// Sequences of words in lower case, separated by spaces. A mark of punctuation is a word of its own.
    let phrases: [String]

    /// Words after which the phrase is clear: it is allowed if one of them follows.
    var clearBefore: Set<String> = []
    let instead: String
    let broken: [String]
    let followed: [String]
}

private let idioms: [Idiom] = [
    Idiom(
        name: "somebody", phrases: ["somebody", "somebody's"],
        instead: "name the program, the person or the device that acts",
        broken: ["Somebody has to free the slot.", "The upload is somebody's."],
        followed: ["A device has to free the slot. Some body is too long."]),
    Idiom(
        name: "nobody", phrases: ["nobody", "nobody's"],
        instead: "name what does not act: no device, no process, no user",
        broken: ["Nobody waits for it.", "a key that\nnobody has proved"],
        followed: ["No upload waits for it."]),
    Idiom(
        name: "whoever", phrases: ["whoever", "whomever"],
        instead: "name who acts",
        broken: ["Whoever holds the lock removes the file."],
        followed: ["The process that holds the lock removes the file."]),
    Idiom(
        name: "goes on", phrases: ["goes on", "going on", "gone on", "went on", "go on with", "go on ."],
        instead: "continue, resume; on a connection a frame is sent",
        broken: ["The upload goes on.", "a session that is gone\non with", "go on with the session", "Then go on."],
        followed: ["The upload continues.", "Frames go on the wire. What goes out is counted on the way."]),
    Idiom(
        name: "let go", phrases: ["let go", "lets go", "letting go"],
        instead: "release what is held, evict a part",
        broken: ["The slot is let go.", "It lets go of the part."],
        followed: ["Let the gateway go first."]),
    Idiom(
        name: "put off", phrases: ["put off", "puts off", "putting off"],
        instead: "defer a part, postpone a step",
        broken: ["An offer is put off."],
        followed: ["An offer is deferred. The bytes are put in a file."]),
    Idiom(
        name: "is told", phrases: ["is told", "are told", "was told", "were told"], clearBefore: ["by"],
        instead: "say who reports it to whom, or that one thing is distinguished from another",
        broken: ["The user is told.", "what an agent was\ntold"],
        followed: ["The agent is told by the gateway.", "The gateway tells the agent."]),
    Idiom(
        name: "what is there", phrases: ["what is there", "what was there"],
        instead: "name the thing",
        broken: ["What is there stays."],
        followed: ["What is therefore kept is the object."]),
    Idiom(
        name: "as good as", phrases: ["as good as"],
        instead: "say that both have the same effect, or that a step is safe to repeat",
        broken: ["Twice is as good as once."],
        followed: ["It is safe to repeat."]),
    Idiom(
        name: "for ever", phrases: ["for ever"],
        instead: "say that it never ends, or what ends it",
        broken: ["It waits for ever."],
        followed: ["It waits forever. For everything else there is a limit."]),
    Idiom(
        name: "so many as", phrases: ["so many … as", "so much … as"],
        instead: "say the same number, the same amount, or name the number",
        broken: ["so many parts at once as the store takes"],
        followed: ["So many parts are slow. As a rule, few are."]),
    Idiom(
        name: "of no use", phrases: ["of no use"],
        instead: "say what cannot be done with it",
        broken: ["A part without a digest is of no use."],
        followed: ["A part without a digest cannot be compared."]),
    Idiom(
        name: "by what it", phrases: ["by what it"],
        instead: "name the property that decides",
        broken: ["A device is known by what it proves."],
        followed: ["The key that a device proves identifies it."]),
    Idiom(
        name: "or nothing", phrases: ["or nothing .", "or nothing ,", "or nothing ;", "or nothing :"],
        instead: "say what happens in the other case",
        broken: ["Reserves all of the bytes or nothing."],
        followed: ["Reserves all of the bytes, or fails. The file is damaged, or nothing is left of it."]),
]

/// Comments and Markdown contain no idioms that a reader has to decode.
let idiomRules: [Rule] = idioms.map { idiom in
    let phrases = idiom.phrases.map { $0.split(separator: " ").map(String.init) }
    return Rule(
        name: "No \"\(idiom.name)\" in comments and Markdown",
        broken: idiom.broken.flatMap(proseSamples), followed: idiom.followed.flatMap(proseSamples),
        coversMarkdown: true,
        check: { file in
            file.prose.indices.compactMap { start in
                let following = phrases.lazy.compactMap { file.prose[start...].following($0) }.first
                guard let following, !idiom.clearBefore.contains(following.first?.text ?? "") else { return nil }
                return Finding(
                    path: file.path, line: file.prose[start].line + 1, message: "\(idiom.name): \(idiom.instead)")
            }
        })
}

private func proseSamples(_ text: String) -> [SourceFile] {
    let comment = text.split(separator: "\n").map { "/// \($0)\n" }.joined()
    return [sample("Documentation/a.md", text), sample("Sources/A/B.swift", comment + "let x = \"is told, nobody\"")]
}

/// A word or a mark of punctuation in a comment or in Markdown.
struct ProseWord: Sendable {
    /// The word in lower case, or the mark of punctuation.
    let text: String

    /// The line of the word, counted from 0.
    let line: Int

    var isPunctuation: Bool { text.utf8.count == 1 && Self.punctuation.contains(text) }

    private static let punctuation: Set<String> = [".", ",", ";", ":", "(", ")"]

    /// Splits lines into words. A line without a word ends a sentence.
    static func words(of lines: [String]) -> [ProseWord] {
        var words: [ProseWord] = []
        for (number, line) in lines.enumerated() {
            let count = words.count
            var word = ""
            for character in line.lowercased() + " " {
                if character.isLetter || character.isNumber || "'-_".contains(character) {
                    word.append(character)
                    continue
                }
                if !word.isEmpty { words.append(ProseWord(text: word, line: number)) }
                word = ""
                let mark = String(character)
                if punctuation.contains(mark) { words.append(ProseWord(text: mark, line: number)) }
            }
            if words.count == count, count > 0 { words.append(ProseWord(text: ".", line: number)) }
        }
        return words
    }
}

extension ArraySlice<ProseWord> {
    /// Matches a phrase at the start of the words. An ellipsis in the phrase stands for 0 to 8 words without
    /// punctuation.
    ///
    /// - Returns: the words after the phrase, or `nil` if the words do not begin with the phrase.
    fileprivate func following(_ phrase: [String]) -> ArraySlice<ProseWord>? {
        var rest = self
        for (index, word) in phrase.enumerated() {
            if word == "…" {
                let gap = rest.prefix(9).prefix { !$0.isPunctuation }
                guard index + 1 < phrase.count, let end = gap.firstIndex(where: { $0.text == phrase[index + 1] }) else {
                    return nil
                }
                rest = rest[end...]
            } else {
                guard rest.first?.text == word else { return nil }
                rest = rest.dropFirst()
            }
        }
        return rest
    }
}

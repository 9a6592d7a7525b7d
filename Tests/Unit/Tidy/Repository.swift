import Foundation
import RepositoryFiles

/// All Swift files below `Sources`, `Tests` and `Examples`, read once.
let repositoryFiles = ["Sources", "Tests", "Examples"].flatMap { files(below: $0, extension: ".swift") }

/// All Markdown pages: those in the root of the repository, and those below its folders of sources and pages.
let markdownFiles: [SourceFile] = {
    // try?: if the root cannot be listed, the list is empty and a test fails.
    let names = try? FileManager.default.contentsOfDirectory(atPath: RepositoryFiles.root.path(percentEncoded: false))
    let pages = (names ?? []).filter { $0.hasSuffix(".md") }.sorted().compactMap(readFile)
    return pages
        + ["Documentation", "Protocol", "Sources", "Tests", "Examples"].flatMap { files(below: $0, extension: ".md") }
}()

private func files(below folder: String, extension end: String) -> [SourceFile] {
    let root = RepositoryFiles.root.appending(path: folder).path(percentEncoded: false)
    let paths = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
    return paths.filter { $0.hasSuffix(end) }.sorted().compactMap { readFile("\(folder)/\($0)") }
}

/// Returns `nil` for a broken symbolic link, and for a directory whose name ends like that of a file.
private func readFile(_ path: String) -> SourceFile? {
    // try?: reading fails for a directory and for a broken link, which are no pages.
    (try? RepositoryFiles.text(of: path)).map { SourceFile(path: path, text: $0) }
}

/// Names of the functions that the repository's own protocols require. The protocols document these functions.
let protocolRequirements: Set<String> = {
    var names: Set<String> = []
    for file in repositoryFiles {
        for start in file.lines(with: ["protocol"]) {
            for line in file.code[start...].prefix(while: { !$0.hasPrefix("}") }) {
                if let match = line.firstMatch(of: /\bfunc (\w+)/) { names.insert(String(match.1)) }
            }
        }
    }
    return names
}()

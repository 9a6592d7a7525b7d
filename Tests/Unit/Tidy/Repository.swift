import Foundation
import RepositoryFiles

/// All Swift files below `Sources`, `Tests` and `Examples`, read once.
let repositoryFiles: [SourceFile] = ["Sources", "Tests", "Examples"].flatMap { folder in
    let root = RepositoryFiles.root.appending(path: folder)
    let paths = FileManager.default.enumerator(atPath: root.path(percentEncoded: false))?.compactMap { $0 as? String }
    return (paths ?? []).sorted().compactMap { path -> SourceFile? in
        guard path.hasSuffix(".swift"),
            // A link that leads nowhere, or a folder with such a name, is no source file.
            let text = try? String(contentsOf: root.appending(path: path), encoding: .utf8)
        else { return nil }
        return SourceFile(path: "\(folder)/\(path)", text: text)
    }
}

/// The names of the functions that the repository's own protocols ask for: they are documented there.
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

import Foundation
import RepositoryFiles

/// All Swift files below `Sources`, `Tests` and `Examples`, read once.
let repositoryFiles: [SourceFile] = ["Sources", "Tests", "Examples"].flatMap { folder in
    let root = RepositoryFiles.root.appending(path: folder)
    let paths = FileManager.default.enumerator(atPath: root.path(percentEncoded: false))?.compactMap { $0 as? String }
    return (paths ?? []).sorted().compactMap { path -> SourceFile? in
        guard path.hasSuffix(".swift"),
            // Reading fails for a broken symbolic link and for a directory with such a name.
            let text = try? String(contentsOf: root.appending(path: path), encoding: .utf8)
        else { return nil }
        return SourceFile(path: "\(folder)/\(path)", text: text)
    }
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

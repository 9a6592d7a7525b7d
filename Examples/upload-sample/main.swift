import AgentKit
import Foundation

// Uploads one file, pauses once on the way, and prints what happens: upload-sample FILE KEY HOME

let words = CommandLine.arguments
guard words.count == 4 else {
    print("usage: upload-sample FILE KEY HOME")
    exit(64)
}
var options = FileUpload.Options()
options.partBytes = 1 << 20
options.concurrency = 2
options.bytesPerSecond = 4_000_000
let upload = FileUpload(file: words[1], key: words[2], home: words[3], options: options)

upload.start()
var hasPaused = false
for await event in upload.events {
    switch event {
    case .part(let part) where part.isStored:
        print("part \(part.number) stored, \(part.size) bytes")
        if !hasPaused {
            hasPaused = true
            Task { await upload.pause() }
        }
    case .paused:
        print("paused; continuing")
        upload.resume()
    case .file(let progress):
        print("\(progress.storedBytes) of \(progress.size) stored, \(progress.bytesSent) sent")
    case .note(let text):
        print(text)
    case .part:
        break
    }
}
do {
    let receipt = try await upload.result()
    print("stored \(receipt.size) bytes, root \(receipt.rootDigest ?? "unknown")")
} catch {
    print("not stored: \(error)")
    exit(1)
}

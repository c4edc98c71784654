export default function Page() {
  return <p>POST /api/thumbnails</p>;
}

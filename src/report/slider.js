// A slider shows, of each stack of pictures beside it, the last one of an epoch that is not after its own.
document.documentElement.classList.add("scripted");
for (const section of document.querySelectorAll(".epochs")) {
  const slider = section.querySelector("input");
  const epochs = slider.dataset.epochs.split(" ").map(Number);
  const show = () => {
    const epoch = epochs[slider.value];
    section.querySelector("output").textContent = "epoch " + epoch;
    slider.setAttribute("aria-valuetext", "epoch " + epoch);
    for (const stack of section.querySelectorAll(".stack")) {
      const pictures = [...stack.querySelectorAll("img")];
      const before = pictures.filter((picture) => Number(picture.dataset.epoch) <= epoch);
      const shown = before.at(-1) ?? pictures[0];
      for (const picture of pictures) picture.hidden = picture !== shown;
      stack.querySelector(".epoch").textContent = shown.dataset.epoch;
    }
  };
  slider.addEventListener("input", show);
  show();
}
